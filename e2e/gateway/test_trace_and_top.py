# SPDX-License-Identifier: Apache-2.0
"""`fedway gateway`: what the command line shows of a gateway on this machine, by its admin
socket."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

import hello
from lib import parts
from world import connect, read_exactly, unused_port, wait_for

DONE, USAGE, FOUND, UNREACHABLE = 0, 2, 3, 6
HERE = pathlib.Path("/run/fedway")


def fedway(*words, check=DONE):
    result = subprocess.run([parts.ours("fedway"), "gateway", *map(str, words)],
                            capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == check, f"{words}\n{result.stdout}\n{result.stderr}"
    return result


@contextlib.contextmanager
def following(path, *words):
    """`fedway gateway trace -w`, writing to a file."""
    with path.open("w") as out:
        command = subprocess.Popen([parts.ours("fedway"), "gateway", "trace", "-w", *words],
                                   stdout=out)
        try:
            yield path
        finally:
            command.send_signal(signal.SIGINT)
            command.wait(10)


@pytest.fixture
def served(gateway, upstream):
    dead = {"address": "127.0.0.1", "port": unused_port(), "cluster": "c1"}
    up = upstream().endpoint(cluster="c2", priority=1)
    return gateway(routes=[{"sni": hello.NAME, "endpoints": [dead, up]}])


def test_trace_tells_what_was_decided(served):
    served.call(hello.openssl())
    served.call(hello.openssl("nobody.example"))
    socket = "--socket", served.admin_path
    failed, routed, refused = fedway("trace", *socket, "--ascii").stdout.splitlines()
    assert "WARN failed ingress" in failed and ": the connect was refused" in failed
    assert "(c2, priority 1, retried, attempt 2)" in routed
    assert refused.endswith("nobody.example: no route has this name (unknown_name, alert 112)")
    answer = json.loads(fedway("trace", *socket, "-o", "json", "--sni", "nobody").stdout)
    assert [event["reason"] for event in answer["events"]] == ["unknown_name"]
    assert fedway("trace", *socket, "--max", "1", "--ascii").stdout == refused + "\n"


def test_trace_follows(served, tmp_path):
    def events(out):
        return [json.loads(line) for line in out.read_text().splitlines()]

    served.call(hello.openssl("first.example"))
    with following(tmp_path / "out", "--socket", served.admin_path, "-o", "json",
                   "--sni", ".example") as out:
        wait_for(lambda: len(events(out)) == 1, "what was there")
        for i in range(20):
            served.call(hello.openssl(f"n{i}.example"))
            served.call(hello.openssl())
        wait_for(lambda: len(events(out)) == 21, "what came")
    assert [event["sni"] for event in events(out)] == \
        ["first.example"] + [f"n{i}.example" for i in range(20)]


def test_top_tells_rates(served, tmp_path):
    out = tmp_path / "out"
    with out.open("w") as file, connect(served.port) as kept:
        kept.sendall(hello.openssl())
        read_exactly(kept, 3)
        command = subprocess.Popen([parts.ours("fedway"), "gateway", "top", "--socket",
                                    served.admin_path, "--interval", "300ms", "-o", "json"],
                                   stdout=file)
        wait_for(out.read_text, "a look")
        served.call(hello.openssl())
        served.call(hello.openssl("nobody.example"))
        wait_for(lambda: [line for line in out.read_text().splitlines()
                          if json.loads(line)["refused"]], "a refusal")
        command.send_signal(signal.SIGINT)
        command.wait(10)
    looks = [json.loads(line) for line in out.read_text().splitlines()]
    assert looks[0]["names"][0]["connections"] == looks[0]["connections"] == 1
    assert looks[0]["names"][0]["newPerSecond"] == 0
    refused = looks[-1]["refused"][0]
    assert (refused["reason"], refused["total"]) == ("unknown_name", 1)
    shown = fedway("top", "--socket", served.admin_path, "--count", "1", "--interval", "10ms")
    assert hello.NAME in shown.stdout and "unknown_name" in shown.stdout


def test_a_gateway_has_a_name_where_its_socket_is_in_the_usual_place(gateway, upstream):
    name = f"test-{os.getpid()}"
    path = HERE / f"{name}.sock"
    with contextlib.ExitStack() as stack:
        stack.callback(path.unlink, missing_ok=True)
        one = gateway(routes=[{"sni": hello.NAME, "endpoints": [upstream().endpoint()]}],
                      admin={"path": str(path)})
        one.call(hello.openssl())
        assert hello.NAME in fedway("trace", name).stdout
        listed = {row["name"]: row for row in json.loads(fedway("list", "-o", "json").stdout)}
        assert listed[name]["state"] == "serving"
        assert listed[name]["routes"] == 1


def test_what_is_wrong_is_told(served, tmp_path):
    nobody = tmp_path / "nobody.sock"
    told = fedway("trace", "--socket", nobody, check=UNREACHABLE).stderr
    assert f"no gateway answers at '{nobody}': No such file or directory" in told
    assert "goes behind --socket" in fedway("top", str(nobody), check=USAGE).stderr
    assert "give one" in fedway("top", "a", "--socket", nobody, check=USAGE).stderr
    socket = "--socket", served.admin_path
    assert "max: must be 0 to 4096" in fedway("trace", *socket, "--max", "5000", check=1).stderr
