# SPDX-License-Identifier: Apache-2.0
"""A DNS server of a test: what it answers may change at any time, and may be a lie."""

import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28
SERVFAIL, UNKNOWN = 2, 3


class NameServer:
    """Serves `address`:53 of a host of the lab. Whatever name is asked for has `addresses`, for
    `ttl` seconds. While it is `lying`, a name whose first label is a key of LIES gets that.
    """

    LIES = {
        "servfail": "RCODE 2", "unknown": "RCODE 3", "empty": "an answer without records",
        "junk": "bytes that are no message", "another": "the answer to another question",
        "silent": "nothing",
    }

    def __init__(self, host, address, *addresses, ttl=5):
        self.addresses = list(addresses)
        self.ttl = ttl
        self.lying = False
        self.asked = 0
        with host.entered():
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((address, 53))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self):
        # an empty message ends the thread
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(5)
        self.socket.close()

    def _run(self):
        while True:
            query, source = self.socket.recvfrom(512)
            if not query:
                return
            answer = self._answer(query)
            if answer:
                self.socket.sendto(answer, source)
            self.asked += 1

    def _answer(self, query):
        question = query[12:query.index(b"\0", 12) + 5]
        kind = struct.unpack(">H", question[-4:-2])[0]
        lie = query[13:13 + query[12]].decode()
        if not self.lying or lie not in self.LIES:
            return self._message(query[:2], question, kind)
        if lie == "silent":
            return None
        if lie == "junk":
            return query[:2] + b"\xff" * 20
        if lie == "another":
            return self._message(query[:2], b"\x05other\0" + question[-4:], kind)
        code = {"servfail": SERVFAIL, "unknown": UNKNOWN, "empty": 0}[lie]
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, 0, 0, 0) + question

    def _message(self, number, question, kind):
        records = b""
        count = 0
        for text in self.addresses:
            address = ipaddress.ip_address(text)
            if kind == (A if address.version == 4 else AAAA):
                packed = address.packed
                records += struct.pack(">HHHIH", 0xc00c, kind, 1, self.ttl, len(packed)) + packed
                count += 1
        return number + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0) + question + records


def resolve_by(host, address):
    """Makes programs on this host ask the server at `address`, and no other."""
    file = host.directory / "resolv.conf"
    file.write_text(f"nameserver {address}\noptions timeout:1 attempts:2\n")
    host.run("mount", "--bind", file, "/etc/resolv.conf")
