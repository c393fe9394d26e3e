# SPDX-License-Identifier: Apache-2.0
"""Connections, reloads and upgrades at once, for SOAK_SECONDS (`make soak`: an hour), with
SOAK_WORKERS.

Each epoch has a process of its own: connections of its own that live as long as it, calls without a
pause, a reload every second, and at its end an upgrade. Memory and descriptors of the processes are
compared when they are equally old and nothing but the epoch's connections is open.
"""

import itertools
import json
import os
import statistics
import time

import hello
from load import Load
from world import connect, read_exactly, wait_for

SECONDS = float(os.environ.get("SOAK_SECONDS", "10"))
WORKERS = int(os.environ.get("SOAK_WORKERS", "2"))
EPOCH_SECONDS = max(2.0, min(60.0, SECONDS / 5))
LONG = 50
JUDGED_EPOCHS = 10  # fewer tell nothing of memory
OTHER = "outbound_.80_._.other.sample.svc.cluster.local"


class Epoch:
    """The life of one process."""

    def __init__(self, one, load, configs):
        self.one = one
        self.load = load
        self.configs = configs
        self.process = one.daemon
        self.long = [self._open() for _ in range(LONG)]

    def _open(self):
        connection = connect(self.one.port)
        connection.sendall(hello.openssl())
        assert read_exactly(connection, 2) in self.load.answers
        return connection

    def run(self):
        deadline = time.monotonic() + EPOCH_SECONDS
        while time.monotonic() < deadline and not self.load.failed:
            self.one.reload(**next(self.configs))
            for connection in self.long:
                connection.sendall(b"ping")
            for connection in self.long:
                assert read_exactly(connection, 4) == b"ping"
            self.load.wait_calls(100)

    def measure(self, at_most):
        """(resident KiB, descriptors), with nothing but the epoch's connections open, and the
        descriptors back to `at_most`: what closes has a moment to be closed."""
        self.load.going.clear()
        wait_for(lambda: json.loads(self.one.admin("GET", "/status")[1])["connections"] == LONG,
                 "the end of the calls")
        wait_for(lambda: self.descriptors() <= at_most, "the descriptors' end")
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        found = resident, self.descriptors()
        self.load.going.set()
        return found

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        """Upgrades; every connection of the old process ends by its client."""
        self.one.start()
        self.process.wait_line("a successor serves", 10)
        for connection in self.long:
            connection.sendall(b"ping")
            assert read_exactly(connection, 4) == b"ping"
            connection.close()
        assert self.process.wait(20) == 0


def test_nothing_is_lost_and_nothing_grows(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    # each other than the one before: an unchanged file is left alone
    configs = itertools.cycle(
        [{"workers": WORKERS, "routes": [{"sni": hello.NAME, "endpoints": [one.endpoint()]},
                                         {"sni": OTHER, "endpoints": [two.endpoint()]}]}
         for one, two in ((a, b), (b, a))])
    one = gateway(**next(configs))
    found = []
    ending = time.monotonic() + SECONDS
    with Load(one.port, answers=(b"a\n", b"b\n")) as load:
        while time.monotonic() < ending and not load.failed:
            epoch = Epoch(one, load, configs)
            epoch.run()
            found.append(epoch.measure(found[0][1] if found else LONG * 4))
            epoch.end()
    resident = [kib for kib, _ in found]
    print(f"{load.answered} calls, {len(found)} processes, resident KiB {resident}")
    assert not load.failed
    if len(found) >= JUDGED_EPOCHS:
        third = len(found) // 3
        grown = statistics.median(resident[-third:]) / statistics.median(resident[:third])
        assert grown <= 1.02, resident
