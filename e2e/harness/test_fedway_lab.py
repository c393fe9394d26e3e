# SPDX-License-Identifier: Apache-2.0
"""`fedway lab` by hand: up, status, calls, a program that dies and is started again, down."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys

import pytest

from lib import parts


KNOCK = """
import socket
try:
    socket.create_connection(("192.0.2.22", 9), timeout=0.5)
except OSError as error:
    print(type(error).__name__)
"""
LISTEN = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
sys.exit(5)
"""


def run(folder, word, *words, good=0, **more):
    """`fedway lab WORD ...` in this lab; returns what it said (on stderr, if it is to fail)."""
    result = subprocess.run([parts.ours("fedway"), "lab", word, "--dir", folder, *words],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            timeout=100, **more)
    assert result.returncode == good, result.stdout + result.stderr
    return result.stderr if good in (1, 2) else result.stdout


def programs(folder, good=0):
    """{(host, program): what status says of it}."""
    told = json.loads(run(folder, "status", "-o", "json", good=good))
    return {(one["host"], one["program"]): one for one in told["programs"]}


@contextlib.contextmanager
def lab(folder, *words):
    try:
        run(folder, "up", *words)
        yield folder
    finally:
        subprocess.run([parts.ours("fedway"), "lab", "down", "--dir", folder],
                       stderr=subprocess.DEVNULL, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A lab with everything in it."""
    with lab(tmp_path_factory.mktemp("lab")) as folder:
        yield folder


@pytest.fixture
def network(tmp_path):
    """A lab without programs."""
    with lab(tmp_path / "lab", "--net-only") as folder:
        yield folder


def kill(pid):
    """Kills it, and returns when it is gone."""
    process = os.pidfd_open(pid)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert select.select([process], [], [], 10)[0]
    os.close(process)


def answers(folder, place, calls):
    told = run(folder, "exec", f"{place}/sleep", parts.ours("fedway"), "lab", "workload", "sleep",
               "--calls", str(calls)).splitlines()
    return json.loads(told[-1])["summary"]["answers"]


def test_the_whole_lab_runs_and_each_cluster_answers(whole):
    told = programs(whole)
    assert {state["state"] for state in told.values()} == {"Running"}
    assert len(told) == 1 + 3 * 5
    assert answers(whole, "cluster1", 6) == {"vc1": 2, "vc2": 2, "vc3": 2}
    said = run(whole, "exec", "control", "fedway", "get", "clusters")
    assert said.count("Ready") == 3
    assert all(len(line) <= 80 for line in run(whole, "status").splitlines())


def test_a_program_that_was_killed_is_told_and_started_again(whole):
    gateway = ("cluster2", "gateway")
    pid = programs(whole)[gateway]["pid"]
    kill(pid)
    ended = programs(whole, good=3)[gateway]
    assert (ended["state"], ended["pid"]) == ("Ended", 0)
    run(whole, "start", *gateway)
    assert programs(whole)[gateway]["pid"] not in (0, pid)


def test_up_again_starts_what_has_ended_and_nothing_else(whole):
    before = {key: one["pid"] for key, one in programs(whole).items()}
    kill(before["cluster3", "helloworld"])
    run(whole, "up")
    after = {key: one["pid"] for key, one in programs(whole).items()}
    assert {key for key in before if before[key] != after[key]} == {("cluster3", "helloworld")}


def test_down_ends_every_program(tmp_path):
    with lab(tmp_path / "lab") as folder:
        pids = [one["pid"] for one in programs(folder).values()]
        run(folder, "down")
        assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
        assert "not up" in run(folder, "status", good=1)


def test_a_cut_link_is_silent_until_it_is_healed(network):
    def knock():
        return run(network, "exec", "cluster1", sys.executable, "-c", KNOCK).strip()

    assert knock() == "ConnectionRefusedError"
    run(network, "cut", "cluster1", "mdemo-cluster2")
    assert knock() == "TimeoutError"
    run(network, "heal", "cluster1", "cluster2")
    assert knock() == "ConnectionRefusedError"


def test_exec_gives_the_program_its_end_and_its_signals(network):
    run(network, "exec", "control", "sh", "-c", "exit 7", good=7)
    words = [parts.ours("fedway"), "lab", "exec", "--dir", network, "cluster1", sys.executable,
             "-c", LISTEN]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(10) == 5


def test_a_folder_that_is_not_a_lab_s_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    assert "thesis.txt" in run(tmp_path, "up", "--net-only", good=1)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_members_file_is_for_a_lab_without_api_servers(whole, tmp_path):
    file = tmp_path / "members.yaml"
    assert "of its own" in run(whole, "up", "--members", file, good=1)
    assert "--net-only" in run(tmp_path / "lab", "up", "--members", file, good=1)


def test_a_members_file_must_name_every_cluster(network, tmp_path):
    file = tmp_path / "members.yaml"
    file.write_text("mdemo-cluster1: /nowhere\n")
    assert "add a line 'mdemo-cluster2: KUBECONFIG'" in run(network, "up", "--members", file,
                                                            good=1)
