# SPDX-License-Identifier: Apache-2.0
"""What is seen of a gateway: its metrics while connections run, its access log, its flight
recorder, and that all of these change without touching a connection."""

import contextlib
import json
import os
import signal

import hello
from world import connect, read_exactly, reset, unused_port, wait_for

NAME = hello.NAME
MARKED = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x06\xe5\x00\x03\x01c1" + hello.openssl()


class Log:
    """The access log of a gateway, one JSON object a line."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def wait(self, number):
        wait_for(lambda: len(self.lines()) >= number, f"{number} lines in the access log")
        assert len(self.lines()) == number
        return self.lines()


def logged(tmp_path, **more):
    path = tmp_path / "access.log"
    return Log(path), {"accessLog": {"path": str(path), **more}}


def routes(*endpoints, **more):
    return [{"sni": NAME, "endpoints": list(endpoints), **more}]


def keep(stack, one, data=hello.openssl(), port=None):
    """A connection that has had its answer."""
    connection = stack.enter_context(connect(port or one.port))
    connection.sendall(data)
    assert read_exactly(connection, 3) == b"up\n"
    return connection


def trace(one, query=""):
    return json.loads(one.admin("GET", f"/trace{query}")[1])


# --- metrics --------------------------------------------------------------------------------------

def test_bytes_count_while_a_connection_runs(gateway, upstream):
    one = gateway(routes=routes(upstream().endpoint(cluster="c1")))
    with contextlib.ExitStack() as stack:
        connection = keep(stack, one)
        # bytes are counted when they are sent, so the client may have them a moment earlier
        sent = len(b"up\n")
        wait_for(lambda: one.total("istio_tcp_sent_bytes_total", destination_cluster="c1") == sent,
                 "the answer's bytes")
        connection.sendall(b"x" * 1000)
        read_exactly(connection, 1000)
        wait_for(lambda: one.total("istio_tcp_sent_bytes_total",
                                   destination_cluster="c1") == sent + 1000, "the bytes sent")
        wait_for(lambda: one.total("istio_tcp_received_bytes_total")
                 == len(hello.openssl()) + 1000, "the bytes received")
        assert one.total("istio_tcp_connections_closed_total") == 0


def test_limits_are_told(gateway, upstream):
    one = gateway(routes=routes(upstream().endpoint()), limits={"connections": 7})
    assert one.total("fedway_gateway_limit", limit="connections") == 7
    one.reload(routes=routes(), limits={"connections": 8})
    assert one.total("fedway_gateway_limit", limit="connections") == 8


# --- access log -----------------------------------------------------------------------------------

def test_a_line_tells_where_a_connection_went_and_why(gateway, upstream, tmp_path):
    up = upstream()
    log, config = logged(tmp_path)
    one = gateway(routes=routes(up.endpoint(cluster="c1", locality="r/z")), **config)
    with connect(one.port) as connection:
        connection.sendall(hello.openssl())
        read_exactly(connection, 3)
        connection.sendall(b"more")
        read_exactly(connection, 4)
        source = connection.getsockname()
    line = log.wait(1)[0]
    expected = {
        "door": "ingress", "downstream_remote_address": f"127.0.0.1:{source[1]}",
        "requested_server_name": NAME, "route_name": NAME,
        "destination_service": "helloworld.sample.svc.cluster.local",
        "upstream_host": f"127.0.0.1:{up.port}", "destination_cluster": "c1", "locality": "r/z",
        "priority": 0, "why": "first", "attempts": 1, "bytes_sent": 7,
        "bytes_received": len(hello.openssl()) + 4, "reason": "done", "response_flags": "-"}
    assert {key: line[key] for key in expected} == expected
    assert 0 < line["hello_ms"] < line["connect_ms"] < line["first_byte_ms"] < line["duration"]
    assert one.total("fedway_gateway_access_log_lines_total") == 1


def test_retries_and_refusals_are_in_the_log(gateway, upstream, tmp_path):
    log, config = logged(tmp_path)
    dead = {"address": "127.0.0.1", "port": unused_port(), "cluster": "c1"}
    one = gateway(routes=[*routes(dead, upstream().endpoint(cluster="c2", priority=1)),
                          {"sni": "dead.example", "endpoints": [dead]}], **config)
    assert one.call(hello.openssl()) == b"up\n"
    assert one.call(hello.openssl("nobody.example")) == hello.alert(112)
    assert one.call(hello.openssl("dead.example")) == hello.alert(80)
    assert one.call(b"GET / HTTP/1.1\r\n\r\n") == b""
    by_reason = {line["reason"]: line for line in log.wait(4)}
    retried, unknown = by_reason["done"], by_reason["unknown_name"]
    failed, http = by_reason["connect_failed"], by_reason["plain_http"]
    assert (retried["why"], retried["attempts"], retried["priority"]) == ("retried", 2, 1)
    assert (unknown["requested_server_name"], unknown["alert"]) == ("nobody.example", 112)
    assert "route_name" not in unknown and "upstream_host" not in unknown
    assert failed["response_flags"] == "UF,URX"
    assert failed["upstream_host"] == f"127.0.0.1:{dead['port']}"
    assert http["requested_server_name"] == ""


def test_marked_ones_and_relayed_ones_are_told_apart(gateway, upstream, tmp_path):
    log, config = logged(tmp_path)
    up = upstream()
    far = {"name": "n2", "gateways": [{"address": "127.0.0.1", "port": up.port, "mark": True}]}
    one = gateway(routes=routes(up.endpoint(cluster="c1")), networks=[far], **config)
    assert one.call(MARKED) == b"up\n"
    one.reload(routes=routes({"network": "n2", "cluster": "c2"}), networks=[far], **config)
    assert one.call(hello.openssl()) == b"up\n"
    assert one.call(hello.openssl(), one.ports["egress"]) == b"up\n"
    assert {line["why"] for line in log.wait(3)} == {"marked+first", "relay+first",
                                                     "remote+first"}


def test_stdout_is_where_it_goes_when_no_path_is_said(gateway, upstream):
    one = gateway(routes=routes(upstream().endpoint()), accessLog={})
    one.call(hello.openssl("nobody.example"))
    line = json.loads(one.daemon.wait_line(r"\{.*requested_server_name.*", 10)[0])
    assert (line["requested_server_name"], line["reason"]) == ("nobody.example", "unknown_name")


def test_a_name_cannot_begin_a_line_of_its_own(gateway, upstream, tmp_path):
    path = tmp_path / "access.log"
    one = gateway(routes=routes(upstream().endpoint()),
                  accessLog={"path": str(path), "format": "text"})
    one.call(hello.openssl('x"a=b\\c'))
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"), "a line")
    text = path.read_text()
    assert text.count("\n") == 1
    assert ' requested_server_name="x\\"a=b\\\\c" ' in text


def test_the_log_is_made_anew_where_logrotate_has_moved_it_away(gateway, upstream, tmp_path):
    log, config = logged(tmp_path)
    one = gateway(routes=routes(upstream().endpoint()), **config)
    one.call(hello.openssl())
    log.wait(1)
    moved = tmp_path / "access.log.1"
    os.rename(log.path, moved)
    one.call(hello.openssl())
    wait_for(lambda: one.closed("done") == 2, "its end")
    one.daemon.signal(signal.SIGHUP)
    wait_for(log.path.exists, "a new file")
    one.call(hello.openssl())
    log.wait(1)
    assert len(Log(moved).lines()) == 2


def test_log_level_and_sample_change_without_touching_a_connection(gateway, upstream, tmp_path):
    up = upstream()
    log, on = logged(tmp_path, sample=1)
    _, off = logged(tmp_path, sample=0)
    one = gateway(routes=routes(up.endpoint()))
    with contextlib.ExitStack() as stack:
        kept = keep(stack, one)
        one.call(hello.openssl())
        one.reload(routes=routes(up.endpoint()), **on)
        assert one.admin("POST", "/log-level?level=debug")[0] == 200
        in_log = keep(stack, one)
        one.call(hello.openssl())
        log.wait(1)
        one.reload(routes=routes(up.endpoint()), **off)
        assert one.admin("POST", "/log-level?level=info")[0] == 200
        one.call(hello.openssl())
        for connection in (kept, in_log):
            connection.sendall(b"still there")
            assert read_exactly(connection, 11) == b"still there"
            connection.close()
        # the one that came while the log was on, and no other
        assert log.wait(2)[1]["bytes_sent"] == 14
        wait_for(lambda: one.closed("done") == 5, "their ends")
    assert len(log.lines()) == 2
    assert one.total("fedway_gateway_access_log_lost_lines_total") == 0


def test_a_share_of_all_connections_is_in_the_log(gateway, upstream, tmp_path):
    log, config = logged(tmp_path, sample=0.25)
    one = gateway(routes=routes(upstream().endpoint()), **config)
    for _ in range(400):
        one.call(b"x")
    wait_for(lambda: one.closed("not_tls") == 400, "400 ends")
    wait_for(lambda: one.total("fedway_gateway_access_log_lines_total") ==
             len(log.lines()) > 60, "their lines")
    assert 60 <= len(log.lines()) <= 140


def test_a_log_that_cannot_be_written_holds_nobody_up(gateway, upstream, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    one = gateway(routes=routes(upstream().endpoint()), accessLog={"path": str(pipe)})
    lost = "fedway_gateway_access_log_lost_lines_total"
    while one.total(lost) == 0:
        for _ in range(500):
            assert one.call(b"x") == b""
    assert one.call(hello.openssl()) == b"up\n"
    assert one.ready() == 200
    os.close(reader)


# --- flight recorder ------------------------------------------------------------------------------

def test_decisions_failed_attempts_and_refusals_can_be_traced(gateway, upstream):
    up = upstream()
    dead = {"address": "127.0.0.1", "port": unused_port(), "cluster": "c1"}
    one = gateway(routes=routes(dead, up.endpoint(cluster="c2", priority=1, locality="r/z")))
    assert one.call(hello.openssl()) == b"up\n"
    assert one.call(hello.openssl("nobody.example")) == hello.alert(112)
    answer = trace(one)
    failed, routed, refused = answer["events"]
    assert [event["event"] for event in answer["events"]] == ["failed", "routed", "refused"]
    assert (failed["cluster"], failed["attempts"]) == ("c1", 1)
    assert failed["message"] == "the connect was refused"
    assert (routed["cluster"], routed["locality"], routed["why"]) == ("c2", "r/z", "retried")
    assert routed["upstream"] == f"127.0.0.1:{up.port}"
    assert (refused["sni"], refused["reason"]) == ("nobody.example", "unknown_name")
    one.call(hello.openssl())
    later = trace(one, f"?since={answer['next']}&sni=helloworld")
    assert [event["event"] for event in later["events"]] == ["failed", "routed"]
    assert trace(one, "?sni=nobody")["events"] == [refused]
    assert len(trace(one, "?max=1")["events"]) == 1
    for wrong in ("/trace?since=x", "/trace?max=4097", "/refusals?max=x"):
        assert one.admin("GET", wrong)[0] == 400


def test_one_that_leaves_before_its_answer_is_traced_too(gateway, upstream, tmp_path):
    log, config = logged(tmp_path)
    one = gateway(routes=routes(upstream(serve=silent).endpoint()), **config)
    connection = connect(one.port)
    connection.sendall(hello.openssl())
    wait_for(lambda: json.loads(one.admin("GET", "/routes")[1])["routes"][0]["connections"] == 1,
             "the connection")
    reset(connection)
    line = log.wait(1)[0]
    assert line["reason"] == "client_reset"
    assert "connect_ms" in line and "first_byte_ms" not in line
    assert [event["event"] for event in trace(one)["events"]] == ["routed"]


def silent(connection, _name):
    while connection.recv(65536):
        pass


def test_sums_are_of_names_in_use(gateway, upstream):
    one = gateway(routes=[*routes(upstream().endpoint()), {"sni": "unused.example"}])
    with contextlib.ExitStack() as stack:
        keep(stack, one)
        one.call(hello.openssl("nobody.example"))
        sums = json.loads(one.admin("GET", "/sums")[1])
        assert sums["names"] == [{"sni": NAME, "connections": 1, "opened": 1, "failed": 0}]
        ingress, egress = sums["doors"]
        assert (ingress["accepted"], ingress["refused"]) == (2, {"unknown_name": 1})
        assert (egress["accepted"], egress["connections"]) == (0, 0)
