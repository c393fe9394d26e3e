# SPDX-License-Identifier: Apache-2.0
"""HTTP requests that are made from inside a host of the lab."""

import dataclasses
import http.client
import json
import socket
import urllib.parse


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def connect(host, address, port, timeout=10.0, source=0):
    """A TCP connection from a host of the lab (None: from the machine itself), and from its port
    `source` (0: any)."""
    bound_to = ("", source) if source else None
    if host is None:
        return socket.create_connection((address, port), timeout, bound_to)
    with host.entered():
        return socket.create_connection((address, port), timeout, bound_to)


def listen(host, address, port):
    """A listening socket on a host of the lab, for a test that plays a server itself."""
    with host.entered():
        return socket.create_server((address, port), backlog=64)


def connection(host, address, port, tls=None, timeout=10.0):
    """An http.client connection, already open; `tls` is an ssl.SSLContext."""
    made = http.client.HTTPConnection(address, port, timeout=timeout)
    made.sock = connect(host, address, port, timeout)
    # http.client sends head and body apart: the second would wait for the first one's ACK
    made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        made.sock = tls.wrap_socket(made.sock, server_hostname=address)
    return made


def get(host, url, timeout=10.0, method="GET"):
    """One request to http://ADDRESS:PORT/PATH."""
    parsed = urllib.parse.urlsplit(url)
    made = connection(host, parsed.hostname, parsed.port or 80, timeout=timeout)
    try:
        target = parsed.path or "/"
        made.request(method, f"{target}?{parsed.query}" if parsed.query else target)
        response = made.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()},
                      response.read())
    finally:
        made.close()
