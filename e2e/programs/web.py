#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP workload that answers with what it was asked.

    web.py PORT NAME [CERTIFICATE KEY AUTHORITY]

With a certificate it speaks mutual TLS itself, as a workload without sidecar does.

GET  /            its name, and the headers of the request, as JSON
GET  /bytes/N     N bytes that everyone can compute (see `body`)
POST /            number of bytes and SHA-256 of the request's body, as JSON
"""

import hashlib
import http.server
import json
import ssl
import sys


def body(size):
    """`size` bytes without a short period."""
    block = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(2048))
    return (block * (size // len(block) + 1))[:size]


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "web"

    def do_GET(self):
        if self.path.startswith("/bytes/"):
            self.answer(body(int(self.path.removeprefix("/bytes/"))))
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer_json({"name": self.name, "headers": headers})

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer_json({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})

    def answer_json(self, value):
        self.answer(json.dumps(value).encode())

    def answer(self, data):
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    port, Web.name = int(sys.argv[1]), sys.argv[2]
    server = Server(("0.0.0.0", port), Web)
    if len(sys.argv) > 3:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=sys.argv[5])
        context.load_cert_chain(*sys.argv[3:5])
        context.set_alpn_protocols(["istio"])
        context.verify_mode = ssl.CERT_REQUIRED
        # The handshake belongs to the thread of the connection, which makes it when it reads.
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
