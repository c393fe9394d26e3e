# SPDX-License-Identifier: Apache-2.0
"""The harness itself: networks, programs and their logs."""

import sys

import pytest

from lib import http, parts, tls
from lib.envoy import parse_metrics
from lib.process import Ended
from programs import web

PORT = 8080


@pytest.fixture
def two_networks(fresh_lab):
    """Hosts `a` in n1, `b` in n2 (the same range), `c` on the wan; a web server on each."""
    for index, name in enumerate(("n1", "n2"), 1):
        setattr(fresh_lab, name, fresh_lab.network(name, "10.1.0.0/16", f"172.30.0.10{index}"))
    fresh_lab.a = fresh_lab.host("a", fresh_lab.n1, "10.1.0.5")
    fresh_lab.b = fresh_lab.host("b", fresh_lab.n2, "10.1.0.5")
    fresh_lab.c = fresh_lab.host("c", fresh_lab.wan, "172.30.0.9")
    for host in (fresh_lab.a, fresh_lab.b, fresh_lab.c):
        host.daemon("web", sys.executable, web.__file__, PORT, host.name).wait_line("listening")
    return fresh_lab


def name_at(host, address):
    return http.get(host, f"http://{address}:{PORT}/").json()["name"]


def test_hosts_of_a_network_reach_it_and_the_wan_but_no_other_network(two_networks):
    lab = two_networks
    assert name_at(lab.a, "10.1.0.5") == "a"
    assert name_at(lab.b, "10.1.0.5") == "b"
    assert name_at(lab.a, "172.30.0.9") == "c"
    lab.a.names({"public": "172.30.0.9"})
    lab.a.names({"other": "172.30.0.9"})
    answer = lab.a.run(parts.tool("curl"), "-sS", f"http://public:{PORT}/",
                       f"http://other:{PORT}/").stdout
    assert answer.count('"name": "c"') == 2


def test_a_packet_for_a_foreign_range_is_dropped_and_counted(two_networks):
    lab = two_networks
    lab.n1.refuse("10.2.0.0/16")
    assert lab.n1.refused() == 0
    with pytest.raises(TimeoutError):
        http.connect(lab.a, "10.2.0.5", PORT, timeout=0.2)
    assert lab.n1.refused() >= 1


def test_a_program_is_stopped_by_name_of_nobody_but_its_own_pid(fresh_lab):
    host = fresh_lab.host("a")
    daemon = host.daemon("child", "sh", "-c", "echo ready; sleep 1000 & wait")
    daemon.wait_line("ready")
    assert daemon.alive()
    daemon.stop()
    assert not daemon.alive()
    assert (host.directory / "child.log").read_text() == "ready\n"


def test_waiting_for_a_line_fails_at_once_when_the_program_ends(fresh_lab):
    daemon = fresh_lab.host("a").daemon("broken", "sh", "-c", "echo no such file; exit 3")
    with pytest.raises(Ended, match="(?s)ended with 3.*no such file"):
        daemon.wait_line("listening")


def test_the_tls_client_tells_a_closed_connection_from_an_alert(two_networks):
    lab = two_networks
    assert tls.handshake(lab.a, "172.30.0.9", PORT, "x.example").error == "WRONG_VERSION_NUMBER"


def test_metrics_are_read_with_their_labels():
    text = '# HELP a b\na{x="1",y="q\\"z\\\\"} 2\nb 3.5\nc{} 4\n'
    assert parse_metrics(text) == [("a", {"x": "1", "y": 'q"z\\'}, 2.0), ("b", {}, 3.5),
                                   ("c", {}, 4.0)]
