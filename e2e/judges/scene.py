# SPDX-License-Identifier: Apache-2.0
"""What stands around a gateway that is judged by foreign programs.

    client ───┬──── gateway :15443 ──── server: Go :8441, OpenSSL :8442, GnuTLS :8443,
    balancer ─┘                                 Go or Envoy :8445 for a name without underscores

Every server is a route of its own, named as Istio names a port of a service. All of them show
certificates of one root; the gateway has no key of it.
"""

import json
import socket
import threading

from lib import http, istio, parts, pki
from lib.gateway import FedwayGateway

CLIENT_IP, BALANCER_IP, GATEWAY_IP, SERVER_IP = (f"172.30.0.{n}" for n in (20, 25, 30, 40))
DOOR = 15443
DOORS = [{"name": "ingress", "mode": "ingress", "address": "0.0.0.0", "port": DOOR,
          "proxyProtocol": {"trusted": [f"{BALANCER_IP}/32"]}}]
PORTS = {"go": 8441, "openssl": 8442, "gnutls": 8443}
NAMES = {kind: istio.sni(kind, "shop", port) for kind, port in PORTS.items()}
# GnuTLS as a server takes no name with an underscore
STRICT = NAMES["gnutls"]
NAMES["gnutls"] = "gnutls.shop.example"
# no name that Istio makes, but one that a browser asks for
PAGE, PAGE_PORT = "page.shop.example", 8445


class Scene:
    def __init__(self, lab):
        self.lab = lab
        self.client = lab.host("client", lab.wan, CLIENT_IP)
        self.server = lab.host("server", lab.wan, SERVER_IP)
        root = pki.root("judges-root")
        self.roots = root.write(lab.directory, "root")[0]
        self.other_roots = pki.root("another-root").write(lab.directory, "other")[0]
        self.chain, self.key = root.issue("web", dns=[*NAMES.values(), PAGE],
                                          uris=["spiffe://cluster.local/ns/shop/sa/web"]).write(
            lab.directory, "web")
        self.identity = root.issue(
            "caller", uris=["spiffe://cluster.local/ns/shop/sa/caller"]).write(
                lab.directory, "caller")
        self.gateway = FedwayGateway(
            lab.host("gateway", lab.wan, GATEWAY_IP), network="n1", listeners=DOORS,
            admin={"path": str(lab.directory / "admin.sock")},
            routes=[self.route(NAMES[kind], PORTS[kind]) for kind in PORTS]
            + [self.route(STRICT, PORTS["gnutls"]), self.route(PAGE, PAGE_PORT)])
        lab.on_failure(self.gateway.dump)
        self.gateway.wait_ready()

    @staticmethod
    def route(name, port):
        return {"sni": name, "endpoints": [{"address": SERVER_IP, "port": port}]}

    def serve_go(self, *more, port=PORTS["go"]):
        """A server of Go's TLS; it says what it knows of each connection."""
        daemon = self.server.daemon(
            f"go-{port}", parts.real("gotls"), "serve", "-address", f"{SERVER_IP}:{port}",
            "-cert", self.chain, "-key", self.key, *more)
        daemon.wait_line("listening")
        return daemon

    def serve_openssl(self, *more):
        """OpenSSL's own test server, which gives back each line reversed."""
        daemon = self.server.daemon(
            "openssl", parts.tool("openssl"), "s_server", "-accept",
            f"{SERVER_IP}:{PORTS['openssl']}", "-cert", self.chain, "-cert_chain", self.chain,
            "-key", self.key, "-alpn", "istio", "-rev", *more)
        daemon.wait_line("ACCEPT")
        return daemon

    def serve_gnutls(self):
        """GnuTLS's own test server, which answers HTTP with what it knows of the connection."""
        daemon = self.server.daemon(
            "gnutls", parts.tool("gnutls-serv"), "--http", "--port", PORTS["gnutls"],
            "--x509certfile", self.chain, "--x509keyfile", self.key, "--alpn", "istio",
            "--disable-client-cert", "--earlydata")
        daemon.wait_line("listening on IPv4")
        return daemon

    def routed(self):
        """Connections that the gateway has passed on."""
        return self.gateway.total("istio_tcp_connections_opened_total")

    def closed(self, reason):
        return self.gateway.total("fedway_gateway_closed_connections_total", reason=reason)

    def refusals(self):
        """What the gateway remembers of those that it has refused, the last first."""
        done = self.gateway.host.run(
            parts.tool("curl"), "-sS", "--unix-socket", self.lab.directory / "admin.sock",
            "http://gateway/refusals")
        return json.loads(done.stdout)

    def run(self, *words, **more):
        """A program on the client's host, to its end."""
        return self.client.run(*words, check=False, **more)

    def judge(self, script, *words):
        """A script with the Python of the judges; its JSON."""
        python = parts.PARTS / "judges" / "bin" / "python"
        if not python.exists():
            parts.missing(f"{python} is not there; install it: .ci/parts judges")
        return json.loads(self.client.run(python, script, *words, timeout=120).stdout)


class Tap:
    """Between client and gateway, on the client's host: passes bytes on and remembers them."""

    def __init__(self, host, port):
        self.connections = []  # [from the client, from the gateway]
        self._host = host
        self._listener = http.listen(host, "127.0.0.1", port)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            gateway = http.connect(self._host, GATEWAY_IP, DOOR)
            heard = [b"", b""]
            self.connections.append(heard)
            for number, (source, sink) in enumerate(((client, gateway), (gateway, client))):
                threading.Thread(target=self._pass, args=(source, sink, heard, number),
                                 daemon=True).start()

    @staticmethod
    def _pass(source, sink, heard, number):
        try:
            while piece := source.recv(65536):
                heard[number] += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
