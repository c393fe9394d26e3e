# SPDX-License-Identifier: Apache-2.0
"""How soon a gateway with ten thousand routes is ready: from its file, and from its disk copy after
it was killed. What counts is its own time on a processor, as other programs share the machine; on
one that does nothing else it is all the time there is (bench/run start)."""

import http.client
import pathlib
import time

from lib import parts
from lib.process import Daemon
from test_faults import saved
from world import HOST, unused_port

ROUTES = 10_000
TURNS = 3
FILE_MS, COPY_MS = 300, 100


def routes():
    return [{"sni": f"outbound_.80_._.svc-{n}.apps.svc.cluster.local",
             "endpoints": [{"address": f"10.{n >> 8}.{n & 255}.{end}", "port": 80}
                           for end in (1, 2)]} for n in range(ROUTES)]


def is_ready(port):
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def used_ms(pid):
    """What its threads have had of processors."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e6


def restart(one, port):
    """Kills it; what the next one has used once it says that it is ready."""
    one.daemon.kill()
    one.daemon = Daemon("fedway-gateway", [parts.ours("fedway-gateway"), "--config", one.file],
                        one.directory)
    while not is_ready(port):
        assert one.daemon.alive(), one.daemon.tail()
        time.sleep(0.005)
    return used_ms(one.daemon.pid)


def test_ten_thousand_routes_are_ready_soon_from_the_file_and_sooner_from_the_copy(gateway):
    port = unused_port()
    one = gateway(routes=routes(), health={"address": HOST, "port": port})
    from_file = [restart(one, port) for _ in range(TURNS)]
    saved(one.directory / "data")
    one.write_text(f"dataDir: {one.directory}/data\nkind: [")
    from_copy = [restart(one, port) for _ in range(TURNS)]
    assert one.daemon.lines("rejected, starting from the disk copy")
    print([round(ms) for ms in from_file], [round(ms) for ms in from_copy])
    assert min(from_file) < FILE_MS
    assert min(from_copy) < COPY_MS
