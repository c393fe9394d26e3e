# SPDX-License-Identifier: Apache-2.0
"""Upstreams that behave well and badly, and a fedway-gateway in front of them, on loopback."""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import tempfile
import threading
import time

from lib import parts
from lib.envoy import parse_metrics
from lib.process import Daemon

HOST = "127.0.0.1"


def connect(port, host=HOST):
    connection = socket.create_connection((host, port), 10)
    connection.settimeout(10)
    return connection


def read_all(connection):
    """Everything up to the end. ConnectionResetError when it ends by a reset."""
    data = b""
    while True:
        piece = connection.recv(65536)
        if not piece:
            return data
        data += piece


def until_end(connection):
    """(bytes, how it ended): "FIN" or "RST"."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        return data, "RST"
    return data, "FIN"


def send_pieces(connection, pieces, between):
    """Sends each piece as a segment of its own; `between()` is called after each but the last."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces[:-1]:
        connection.sendall(piece)
        between()
    connection.sendall(pieces[-1])


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, f"ended after {len(data)} of {size} bytes"
        data += piece
    return data


def reset(connection):
    """Closes with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def unused_port():
    """A port of which a connect is refused."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Upstream:
    """A TCP server; `serve(connection, name)` runs in a thread for each connection. It listens on
    loopback, or has a listener from elsewhere."""

    def __init__(self, serve, name="up", port=0, listener=None):
        self.name = name
        self.serve = serve
        self.connections = 0
        self.listener = listener or socket.create_server((HOST, port), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        connection.settimeout(20)
        try:
            self.serve(connection, self.name)
        except (OSError, AssertionError):
            pass
        connection.close()

    def endpoint(self, **more):
        return {"address": HOST, "port": self.port, **more}

    def close(self):
        # wakes the accept, which a close alone does not
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def greet(connection, name):
    """Reads a first piece, says its name, and gives back all that follows."""
    if not connection.recv(65536):
        return  # a check
    connection.sendall(name.encode() + b"\n")
    while True:
        data = connection.recv(65536)
        if not data:
            return
        connection.sendall(data)


class BlackHole:
    """A port that lets connects hang: a listener with its queue full."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind((HOST, 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HOST, self.port))
            self.fillers.append(filler)
        time.sleep(0.05)

    def close(self):
        for filler in self.fillers:
            filler.close()
        self.listener.close()


class Gateway:
    """A running fedway-gateway. Its configuration is written as JSON, which is YAML.

    `within`: the words of a program that starts it, in some namespace."""

    def __init__(self, directory, *options, env=None, within=(), **config):
        self.directory = directory
        self.within = within
        self.file = directory / "gateway.yaml"
        # a short name: the kernel takes 107 characters
        self.admin_path = pathlib.Path(tempfile.mkdtemp(prefix="fedway-")) / "admin.sock"
        self.write(**config)
        self.start(*options, env=env)

    def start(self, *options, env=None):
        self.daemon = Daemon("fedway-gateway", [*self.within, parts.ours("fedway-gateway"),
                                                "--config", self.file, *options],
                             self.directory, env=env)
        self.daemon.wait_line(r" ready ", 20)
        self.ports = {}
        for line in self.daemon.lines(r" listening name="):
            name, port = re.search(r"name=(\S+) .*address=\S+:(\d+)", line).groups()
            self.ports[name] = int(port)
        self.port = self.ports.get("ingress")

    def stop(self):
        """Ends it without a drain: it is told twice."""
        for _ in range(2):
            if self.daemon.alive():
                self.daemon.signal(signal.SIGTERM)
                time.sleep(0.02)
        self.daemon.stop(10)
        shutil.rmtree(self.admin_path.parent, ignore_errors=True)

    def config(self, **config):
        return {
            "apiVersion": "fedway.io/v1alpha1", "kind": "GatewayConfig", "workers": 1,
            "listeners": [{"name": "ingress", "mode": "ingress", "address": HOST, "port": 0},
                          {"name": "egress", "mode": "egress", "address": HOST, "port": 0,
                           "allow": ["127.0.0.0/8"]}],
            "network": "n1",
            "dataDir": str(self.directory / "data"),
            "metrics": {"address": HOST, "port": 0},
            "health": {"address": HOST, "port": 0},
            "admin": {"path": str(self.admin_path)},
            **config,
        }

    def write(self, **config):
        self.write_text(json.dumps(self.config(**config), indent=1))

    def write_text(self, text):
        beside = self.file.with_suffix(".new")
        beside.write_text(text)
        os.replace(beside, self.file)

    def reload(self, **config):
        """Writes the configuration and waits until it is applied."""
        seen = self.daemon.lines_so_far()
        self.write(**config)
        self.daemon.wait_line("configuration applied", 10, after=seen)

    def get(self, name, path):
        connection = http.client.HTTPConnection(HOST, self.ports[name], timeout=10)
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, body

    def ready(self):
        return self.get("health", "/healthz/ready")[0]

    def metrics(self):
        return parse_metrics(self.get("metrics", "/metrics")[1].decode())

    def total(self, name, **labels):
        return sum(number for found, carried, number in self.metrics()
                   if found == name and labels.items() <= carried.items())

    def closed(self, reason, **labels):
        return self.total("fedway_gateway_closed_connections_total", reason=reason, **labels)

    def admin(self, method, path):
        """(status, body) from the admin socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.admin_path))
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: admin\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            response = http.client.HTTPResponse(connection)
            response.begin()
            return response.status, response.read()

    def refusals(self, door="ingress"):
        """The last first."""
        found = json.loads(self.admin("GET", "/refusals")[1])
        return [refusal for refusal in found if refusal["door"] == door]

    def call(self, data, port=None):
        """What comes back for these bytes, up to the end or 4 KiB."""
        with connect(port or self.port) as connection:
            connection.sendall(data)
            return connection.recv(4096)


    def caught_up(self):
        """Returns when it has read all that was sent to it before. One worker takes events in
        their order, so it is enough that somebody who came later, by the egress door, has been
        closed."""
        assert self.call(b"x", self.ports["egress"]) == b""


def wait_for(condition, what, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come in {timeout} s"
        time.sleep(0.02)
