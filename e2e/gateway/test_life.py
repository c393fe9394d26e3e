# SPDX-License-Identifier: Apache-2.0
"""Reloads, drain, the disk copy, and the doors for operators."""

import json
import os
import pathlib
import resource
import signal
import subprocess
import time

import hello
from lib import parts
from world import connect, read_exactly, wait_for

OTHER = "outbound_.80_._.other.sample.svc.cluster.local"


def route(*endpoints, sni=hello.NAME):
    return {"sni": sni, "endpoints": list(endpoints)}


def open_one(one):
    connection = connect(one.port)
    connection.sendall(hello.openssl())
    read_exactly(connection, 3)
    return connection


def still_works(connection):
    connection.sendall(b"ping")
    return read_exactly(connection, 4) == b"ping"


def test_a_reload_cuts_nothing(gateway, upstream):
    up, other = upstream("up"), upstream("other")
    one = gateway(routes=[route(up.endpoint())])
    with open_one(one) as kept:
        one.reload(routes=[route(other.endpoint(), sni=OTHER)])
        wait_for(lambda: one.call(hello.openssl()) == hello.alert(112), "the old name is gone")
        assert one.call(hello.openssl(OTHER)) == b"other\n"
        assert still_works(kept)
        for _ in range(3):
            one.reload(routes=[route(up.endpoint())])
            one.reload(routes=[route(other.endpoint(), sni=OTHER)])
        assert still_works(kept)
    assert one.total("fedway_gateway_config_reloads_total", result="applied") == 8


def test_reloads_under_load_lose_no_call(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(workers=2, routes=[route(a.endpoint())])
    seen = set()
    for turn in range(6):
        one.write(routes=[route((b if turn % 2 else a).endpoint())])
        one.daemon.signal(signal.SIGHUP)
        seen |= {one.call(hello.openssl()) for _ in range(40)}
    assert seen == {b"a\n", b"b\n"}


def test_a_bad_file_keeps_the_running_one_and_says_where(gateway, upstream):
    one = gateway(routes=[route(upstream().endpoint())])
    seen = one.daemon.lines_so_far()
    one.write_text("apiVersion: fedway.io/v1alpha1\nkind: GatewayConfig\nlisteners:\n"
                   "- {name: ingress, mode: ingress, address: 127.0.0.1, port: 0}\n"
                   "routes:\n- sni: a\n  endpoints:\n  - {address: 10.0.0.1, prot: 80}\n")
    line = one.daemon.wait_line("rejected", 10, after=seen).string
    assert "gateway.yaml:8: routes[0].endpoints[0].prot: unknown key; known here: address" in line
    assert one.call(hello.openssl()) == b"up\n"
    # said again when asked, not by itself
    seen = one.daemon.lines_so_far()
    one.daemon.signal(signal.SIGHUP)
    one.daemon.wait_line("rejected", 10, after=seen)
    assert one.total("fedway_gateway_config_reloads_total", result="rejected") == 2
    one.reload(routes=[route(upstream("new").endpoint())])
    wait_for(lambda: one.call(hello.openssl()) == b"new\n", "the good file")


def test_a_swapped_config_map_is_seen(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(routes=[route(a.endpoint())])
    folder = one.directory
    text = json.dumps(one.config(routes=[route(b.endpoint())]))
    # as the kubelet does: a new folder, a link beside, one rename
    (folder / "..2").mkdir()
    (folder / "..2" / "gateway.yaml").write_text(text)
    os.symlink("..data/gateway.yaml", folder / "link")
    os.replace(folder / "link", one.file)
    os.symlink("..2", folder / "..data_tmp")
    os.replace(folder / "..data_tmp", folder / "..data")
    wait_for(lambda: one.call(hello.openssl()) == b"b\n", "the swap")


def test_what_needs_a_restart_is_said(gateway, upstream):
    one = gateway(routes=[route(upstream().endpoint())])
    seen = one.daemon.lines_so_far()
    one.write(workers=2, routes=[])
    one.daemon.wait_line("'workers' takes effect at the next start", 10, after=seen)


def test_a_broken_file_at_start_falls_back_to_the_disk_copy(gateway, upstream):
    fast = ("--drain-delay", "0s")
    one = gateway(*fast, routes=[route(upstream().endpoint())])
    one.daemon.stop()
    for text in (f"dataDir: {one.directory}/data\nkind: [", json.dumps(one.config(rutes=[]))):
        one.write_text(text)
        one.start(*fast)
        assert one.call(hello.openssl()) == b"up\n"
        assert json.loads(one.admin("GET", "/status")[1])["fromDiskCopy"] is True
        assert one.daemon.lines("rejected, starting from the disk copy")
        one.daemon.stop()
    copy = one.directory / "data" / "last-good.json"
    assert copy.stat().st_mode & 0o777 == 0o600
    copy.write_bytes(copy.read_bytes().replace(b"helloworld", b"hellowerld"))
    ended = subprocess.run([parts.ours("fedway-gateway"), "--config", one.file],
                           capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "is damaged: the checksum differs" in ended.stderr


def run_drained(gateway, upstream, *options):
    one = gateway(*options, routes=[route(upstream().endpoint())])
    kept = open_one(one)
    one.daemon.signal(signal.SIGTERM)
    wait_for(lambda: one.ready() == 503, "unready")
    return one, kept


def test_a_drain_lets_connections_end(gateway, upstream):
    one, kept = run_drained(gateway, upstream, "--drain-delay", "500ms")
    # still accepting
    assert one.call(hello.openssl()) == b"up\n"
    one.daemon.wait_line("no more connections are accepted", 5)
    wait_for(lambda: is_refused(one.port), "the listener's end")
    assert still_works(kept)
    assert one.daemon.alive()
    kept.close()
    assert one.daemon.wait(5) == 0


def is_refused(port):
    try:
        connect(port).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_drain_resets_what_is_left_after_its_timeout(gateway, upstream):
    began = time.monotonic()
    one, kept = run_drained(gateway, upstream, "--drain-delay", "0s", "--drain-timeout", "1s")
    try:
        assert kept.recv(10) == b"", "nothing but an end"
        raise AssertionError("an end in place of a reset")
    except ConnectionResetError:
        pass
    assert one.daemon.wait(5) == 0
    assert 1.0 <= time.monotonic() - began < 4.0


def test_the_doors_for_operators(gateway, upstream):
    up = upstream()
    one = gateway(routes=[route(up.endpoint(cluster="c1", locality="r1/z1"))],
                  networks=[{"name": "n2", "gateways": [{"address": "192.0.2.9", "mark": True}]}])
    assert one.ready() == 200
    assert one.get("health", "/other")[0] == 404
    assert one.get("metrics", "/stats/prometheus")[0] == 200
    assert one.call(hello.openssl()) == b"up\n"
    status = json.loads(one.admin("GET", "/status")[1])
    assert (status["state"], status["routes"], status["workers"]) == ("serving", 1, 1)
    assert status["listeners"][0] == {"name": "ingress", "mode": "ingress",
                                      "address": f"127.0.0.1:{one.port}"}
    table = json.loads(one.admin("GET", "/routes")[1])
    assert table["routes"][0]["endpoints"][0]["address"] == f"127.0.0.1:{up.port}"
    assert table["networks"][0]["gateways"][0]["mark"] is True
    assert one.admin("POST", "/log-level?level=debug")[0] == 200
    assert one.admin("POST", "/log-level?level=loud")[0] == 400
    assert one.admin("GET", "/log-level")[0] == 405
    labels = {"reporter": "source", "destination_service": "helloworld.sample.svc.cluster.local",
              "destination_service_name": "helloworld", "destination_cluster": "c1",
              "destination_service_namespace": "sample", "request_protocol": "tcp",
              "response_flags": "-"}
    wait_for(lambda: one.total("istio_tcp_connections_closed_total", **labels) == 1, "the end")
    assert one.total("istio_tcp_connections_opened_total", **labels) == 1
    assert pathlib.Path(one.admin_path).stat().st_mode & 0o777 == 0o600
    assert one.admin("POST", "/drain")[0] == 202
    wait_for(lambda: one.ready() == 503, "unready")


def test_without_descriptors_accepting_pauses_and_goes_on(gateway, upstream):
    one = gateway(routes=[route(upstream().endpoint())])
    used = len(os.listdir(f"/proc/{one.daemon.pid}/fd"))
    hard = resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE, (used + 8, hard))
    waiting = [connect(one.port) for _ in range(20)]
    wait_for(lambda: len(os.listdir(f"/proc/{one.daemon.pid}/fd")) == used + 8, "the limit")
    time.sleep(0.3)
    resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE, (used + 200, hard))
    wait_for(lambda: one.total("fedway_gateway_accept_pauses_total") > 0, "a pause")
    for connection in waiting:
        connection.sendall(hello.openssl())
    assert [connection.recv(100) for connection in waiting] == [b"up\n"] * 20
    for connection in waiting:
        connection.close()


def test_a_wrong_option_or_file_ends_with_a_sentence():
    program = parts.ours("fedway-gateway")
    ended = subprocess.run([program, "--config", "/nonexistent/gateway.yaml"],
                           capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, "/nonexistent/gateway.yaml" in ended.stderr) == (1, True)
    ended = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=20,
                           check=False)
    assert (ended.returncode, "--drain-delay" in ended.stdout) == (0, True)
