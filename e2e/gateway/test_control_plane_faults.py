# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a control plane, or with the clock, is not seen by any call."""

import os
import shutil
import signal
import struct
import subprocess
import time

import pytest

import hello
from lib import parts
from load import Load
from test_xds import member, place, plane, route, simple, two  # noqa: F401
from world import HOST, Upstream, connect, greet, read_exactly, until_end, wait_for

SOAK = "SOAK_SECONDS" in os.environ
FLAPPING_SECONDS = 600 if SOAK else 60
# Types of which a gateway holds resources.
HELD = "cluster|network|peers|assignment"
DAY = 86400
LIVE = "fedway_gateway_address_live"


# --- it comes and goes ---------------------------------------------------------------------------

def test_a_control_plane_that_comes_and_goes_fails_no_call_and_sends_nothing_again(
        plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c1=simple(up, routes=[route(up.endpoint()), route(up.endpoint(), sni="a.b")]))
    one = member(control)
    assert len(control.daemon.lines(f"ack type=({HELD})")) >= 2
    lives, streams = 0, 0
    ending = time.monotonic() + FLAPPING_SECONDS
    with connect(one.port) as kept, Load(one.port) as load:
        kept.sendall(hello.openssl())
        assert read_exactly(kept, 3) == b"up\n"
        while time.monotonic() < ending and not load.failed:
            control.kill()
            load.wait_calls(50)
            control.start()
            # a second of life
            born = time.monotonic()
            wait_for(lambda born=born: time.monotonic() > born + 1, "its end")
            kept.sendall(b"ping")
            assert read_exactly(kept, 4) == b"ping"
            lives += 1
            streams += bool(control.daemon.lines("stream cluster=c1"))
            assert not control.daemon.lines(f"ack type=({HELD})"), control.daemon.tail()
    print(f"{load.answered} calls, {lives} lives, in {streams} of them a stream")
    assert not load.failed
    assert streams >= lives / 4
    # a change of which it is told comes through at once
    wait_for(lambda: one.mesh()["connected"], "the stream", 20)
    control.serve(c1=simple(upstream("b")))
    one.says(hello.openssl(), b"b\n")
    assert (one.mesh()["resyncs"], one.ready()) == (0, 200)


# --- it says what is wrong -----------------------------------------------------------------------

@pytest.mark.parametrize("how", ["unfinished", "miscounted"])
def test_a_burst_that_is_wrong_leaves_table_and_copy_as_they_were(plane, member, upstream, how):
    a, b = upstream("a"), upstream("b")
    control = plane()
    control.serve(c1=simple(a))
    one = member(control)
    wait_for(one.copy().exists, "the copy")
    version, copy = one.mesh()["version"], one.copy().read_bytes()
    control.kill()
    control.write({"c1": simple(b)})
    control.start(how)
    control.daemon.wait_line("broken burst responses=", 20)
    if how == "miscounted":
        # and again from the beginning, as what it holds is not what the other one thinks
        wait_for(lambda: one.total("fedway_gateway_mesh_resyncs_total") >= 2, "resyncs", 20)
    assert {one.call(hello.openssl()) for _ in range(20)} == {b"a\n"}
    assert (one.mesh()["version"], one.ready()) == (version, 200)
    assert one.copy().read_bytes() == copy
    control.kill()
    control.start()
    one.says(hello.openssl(), b"b\n")


def test_a_burst_that_is_wrong_opens_no_door(plane, member, upstream):
    """A gateway without a table has none of the half of one either."""
    control = plane(start=False)
    control.write({"c1": simple(upstream())})
    control.start("unfinished")
    one = member(control, ready=False)
    control.daemon.wait_line("broken burst responses=", 20)
    wait_for(one.admin_path.exists, "the admin socket")
    assert (one.status()["state"], one.status()["routes"]) == ("starting", 0)
    control.kill()
    control.start()
    one.daemon.wait_line(" ready ", 20)


# --- the clock -----------------------------------------------------------------------------------

class WallClock:
    """A wall clock that may be set, of programs that are started with `env`."""

    def __init__(self, directory):
        library = directory / "wallclock.so"
        self.file = directory / "wallclock"
        self.set(0)
        source = parts.ROOT / "e2e" / "programs" / "wallclock.c"
        subprocess.run([shutil.which("gcc") or "cc", "-shared", "-fPIC", "-O2", "-o", library,
                        source], check=True)
        # a sanitizer wants to be the first library
        self.env = {"LD_PRELOAD": str(library), "WALLCLOCK": str(self.file),
                    "ASAN_OPTIONS": "verify_asan_link_order=0"}

    def set(self, seconds):
        """Off by so much, at once."""
        with open(self.file, "r+b" if self.file.exists() else "wb") as file:
            file.write(struct.pack("q", seconds))


@pytest.mark.parametrize("days", [400, -400], ids=["ahead", "back"])
def test_a_clock_that_jumps_kills_nothing_and_stops_no_timer(plane, member, upstream, tmp_path,
                                                            days):
    """By more than any certificate of the mesh is valid."""
    clock = WallClock(tmp_path)
    control, one, far = two(plane, member, upstream(), env=clock.env)
    address = f"127.0.0.1:{far.port}"
    wait_for(lambda: one.total(LIVE, address=address) == 1, "the other gateway")
    clock.set(days * DAY)
    with Load(one.ports["egress"]) as load:
        load.wait_calls(300)
    assert not load.failed
    # checks go on, and so do fresh handshakes, of which there is one each 15 s
    before = far.total("fedway_gateway_accepted_connections_total", door="ingress")
    wait_for(lambda: far.total("fedway_gateway_accepted_connections_total",
                               door="ingress") > before, "a fresh handshake", 20)
    # so do reports, and for longer than a death takes to be known none says so
    for _ in range(10):
        told = control.daemon.lines_so_far()
        control.daemon.wait_line(f"address n2/c2 {address} live=1 ", 5, after=told)
    assert not control.daemon.lines(f"address n2/c2 {address} live=0")
    # so does the stream
    b = upstream("b")
    control.serve(c1=simple(b))
    one.says(hello.openssl(), b"b\n")
    # set right again, everything is as it was
    clock.set(0)
    control.serve(c1=simple(upstream("c")))
    one.says(hello.openssl(), b"c\n")
    assert one.ready() == 200


@pytest.mark.parametrize("up", [1, 70 * 365 * DAY], ids=["just now", "in another life"])
def test_it_does_not_matter_when_the_machine_was_started(gateway, upstream, up):
    """In a time namespace, where the monotonic clock stands at `up` seconds."""
    offset = up - int(time.clock_gettime(time.CLOCK_MONOTONIC))
    far, own = upstream("far"), upstream("own")
    config = {"routes": [{"sni": hello.NAME, "endpoints": [{"network": "n2"},
                                                           own.endpoint(priority=1)]}],
              "networks": [{"name": "n2", "gateways": [{"address": HOST, "port": far.port}]}]}
    one = gateway(within=(parts.tool("unshare"), "--time", f"--monotonic={offset}", "--fork",
                          "--kill-child"), **config)
    address = f"{HOST}:{far.port}"
    egress = one.ports["egress"]
    half = connect(one.port)
    half.sendall(hello.openssl()[:50])
    began = time.monotonic()
    assert one.call(hello.openssl(), egress) == b"far\n"
    # deadlines and checks run as ever
    far.close()
    wait_for(lambda: one.total(LIVE, address=address) == 0, "its death", 4)
    assert one.call(hello.openssl(), egress) == b"own\n"
    assert until_end(half) == (b"", "FIN")
    assert 4.5 < time.monotonic() - began < 6.5
    assert one.closed("hello_timeout") == 1
    back = Upstream(greet, "far", far.port)
    wait_for(lambda: one.total(LIVE, address=address) == 1, "its return", 4)
    assert one.call(hello.openssl(), egress) == b"far\n"
    back.close()
    half.close()
    # the program in between passes no signal on
    os.killpg(one.daemon.pid, signal.SIGTERM)
    one.daemon.wait_line("draining", 5)
    os.killpg(one.daemon.pid, signal.SIGTERM)
