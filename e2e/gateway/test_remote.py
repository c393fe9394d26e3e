# SPDX-License-Identifier: Apache-2.0
"""Gateways of other networks: which of their addresses are used, and what their names mean.

      client ── gateway :15444 (egress) ──wan── far1, far2, far3: gateways of n2, played by the test
                     └── name server
"""

import collections
import json
import shutil
import socket
import tempfile
import time

import pytest

import hello
from lib import http
from lib.gateway import FedwayGateway
from nameserver import NameServer, resolve_by
from world import Upstream, greet, wait_for

GATEWAY, CLIENT, SERVER = "172.30.0.11", "172.30.0.13", "172.30.0.53"
FAR = {name: f"172.30.0.{number}" for name, number in (("far1", 21), ("far2", 22), ("far3", 23))}
FAR6 = "fd00:30::21"
PORT, EGRESS = 15443, 15444
NAME = "gw.n2.example"
LIVE = "fedway_gateway_address_live"
VERSION = "fedway_gateway_table_version"
# What a measurement may add: it asks in steps, on a machine that is busy.
SLACK = 0.4


class Scene:
    """A gateway whose only endpoint is network n2, and the gateways of that one: `addresses`, or
    else names, and then there is a network for each."""

    def __init__(self, lab, *addresses):
        by_name = not addresses[0][0].isdigit()
        self.client = lab.host("client", lab.wan, CLIENT)
        self.hosts = {name: lab.host(name, lab.wan, address) for name, address in FAR.items()}
        self.far = {}
        self.host = lab.host("gateway", lab.wan, GATEWAY)
        for host, address in ((self.host, "fd00:30::11"), (self.hosts["far1"], FAR6)):
            host.ip(f"addr add {address}/64 dev eth0 nodad")
        self.server = None
        if by_name:
            self.server = NameServer(lab.host("names", lab.wan, SERVER), SERVER)
        self.networks = ({f"n{i}": [name] for i, name in enumerate(addresses, start=2)} if by_name
                         else {"n2": addresses})
        for name in FAR:
            self.serve(name)
        self.gateway = None
        self.lab = lab
        # a short name: the kernel takes 107 characters
        self.socket = f"{tempfile.mkdtemp(prefix='fedway-')}/admin.sock"

    def start(self):
        self.gateway = FedwayGateway(self.host, **self.config())
        self.lab.on_failure(self.gateway.dump)
        self.gateway.wait_ready()
        return self

    def config(self):
        return {
            "network": "n1",
            "routes": [{"sni": hello.NAME, "endpoints": [{"network": name} for name in
                                                         self.networks]}],
            "networks": [{"name": name, "gateways": [{"address": address, "port": PORT}
                                                     for address in addresses]}
                         for name, addresses in self.networks.items()],
            "listeners": [{"name": "egress", "mode": "egress", "address": GATEWAY, "port": EGRESS,
                           "allow": [f"{CLIENT}/32"]}],
            "admin": {"path": self.socket},
        }

    def serve(self, name):
        """The gateway at this place answers (again)."""
        host = self.hosts[name]
        with host.entered():
            listener = socket.socket(socket.AF_INET6)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("::", PORT))
            listener.listen(64)
        self.far[name] = Upstream(greet, name, listener=listener)

    def call(self):
        with http.connect(self.client, GATEWAY, EGRESS) as connection:
            connection.sendall(hello.openssl())
            return connection.recv(100)

    def answers(self, calls=30):
        return collections.Counter(self.call().decode().strip() for _ in range(calls))

    def live(self, address):
        return self.gateway.total(LIVE, address=end(address))

    def wait_live(self, address, live, timeout=10):
        wait_for(lambda: self.live(address) == live, f"{address} live={live}", timeout)

    def known(self):
        """The addresses of each network in the table in force."""
        return [sorted(self.reasons(network)) for network in self._networks()]

    def reasons(self, network=None):
        """Why addresses of a network are dead, "" of those that are not."""
        return {gateway["address"]: gateway["reason"]
                for gateway in (network or self._networks()[0])["gateways"]}

    def _networks(self):
        return json.loads(self.admin("/routes"))["networks"]

    def admin(self, path):
        path = f"http://gateway{path}"
        return self.host.run("curl", "--silent", "--show-error", "--fail", "--unix-socket",
                             self.socket, path).stdout

    def close(self):
        for far in self.far.values():
            far.close()
        shutil.rmtree(self.socket.rpartition("/")[0], ignore_errors=True)
        if self.server:
            self.server.close()


def end(address):
    return f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"


def ends(*addresses):
    return sorted(end(address) for address in addresses)


@pytest.fixture
def scene(fresh_lab):
    """scene(*addresses): see Scene."""
    made = []

    def make(*addresses):
        made.append(Scene(fresh_lab, *addresses))
        return made[-1]

    yield make
    for one in made:
        one.close()


# --- addresses -----------------------------------------------------------------------------------

def test_each_address_is_checked_and_the_calls_of_a_dead_one_go_to_the_others(scene):
    one = scene(*FAR.values()).start()
    for address in FAR.values():
        one.wait_live(address, 1)
    assert set(one.answers()) == set(FAR)
    one.far["far2"].close()
    # also in the seconds until that is known: a refused connect is tried elsewhere
    assert set(one.answers()) == {"far1", "far3"}
    one.wait_live(FAR["far2"], 0)
    before = one.gateway.total("fedway_gateway_retries_total")
    assert set(one.answers()) == {"far1", "far3"}
    assert one.gateway.total("fedway_gateway_retries_total") == before
    assert one.reasons()[end(FAR["far2"])] == "Connection refused"


def test_a_killed_one_is_out_within_three_seconds_and_back_after_two_good_checks(scene):
    one = scene(*FAR.values()).start()
    address = FAR["far1"]
    one.wait_live(address, 1)
    times = []
    for _ in range(2):
        one.far["far1"].close()
        died = time.monotonic()
        one.wait_live(address, 0)
        times.append(time.monotonic() - died)
        one.serve("far1")
        rose = time.monotonic()
        one.wait_live(address, 1)
        # the second check is a second after the first one
        assert 0.9 < time.monotonic() - rose < 2 + SLACK
        wait_for(lambda: one.far["far1"].connections >= 2, "two checks")
    print("out after", [f"{seconds:.2f} s" for seconds in times])
    assert max(times) < 3 + SLACK


def test_a_silent_one_is_out_within_three_seconds_and_comes_back(scene):
    one = scene(*FAR.values()).start()
    address = FAR["far3"]
    one.wait_live(address, 1)
    times = []
    for _ in range(3):
        with one.hosts["far3"].silent():
            fell = time.monotonic()
            one.wait_live(address, 0)
            times.append(time.monotonic() - fell)
            assert "no answer within a second" in one.reasons()[end(address)]
            assert set(one.answers(10)) == {"far1", "far2"}
        one.wait_live(address, 1)
    print("out after", [f"{seconds:.2f} s" for seconds in times])
    assert max(times) < 3 + SLACK


def test_a_network_without_a_live_address_is_refused_at_once_and_says_why(scene):
    one = scene(FAR["far1"], FAR["far2"]).start()
    for name in ("far1", "far2"):
        one.wait_live(FAR[name], 1)
        one.far[name].close()
        one.wait_live(FAR[name], 0)
    began = time.monotonic()
    assert {one.call() for _ in range(20)} == {hello.alert(80)}
    assert time.monotonic() - began < 1
    assert set(one.reasons().values()) == {"Connection refused"}
    refusal = json.loads(one.admin("/refusals?max=1"))[0]
    assert (refusal["reason"], refusal["sni"]) == ("no_endpoint", hello.NAME)
    one.serve("far1")
    one.wait_live(FAR["far1"], 1)
    assert one.call() == b"far1\n"


# --- names ---------------------------------------------------------------------------------------

def named(scene, *addresses, names=(NAME,), ttl=5):
    """A scene where these names, of a network each, have these addresses."""
    one = scene(*names)
    one.server.addresses = list(addresses)
    one.server.ttl = ttl
    resolve_by(one.host, SERVER)
    one.start()
    wait_for(lambda: one.known() == len(names) * [ends(*addresses)], "the addresses")
    return one


def test_all_addresses_of_a_name_are_used_of_both_families(scene):
    one = named(scene, FAR["far1"], FAR["far2"], FAR6)
    for address in (FAR["far1"], FAR["far2"], FAR6):
        one.wait_live(address, 1)
    count = one.answers()
    assert count["far1"] == 2 * count["far2"] == 20, "far1 has two of the three addresses"


def test_one_changed_address_is_one_change_of_the_table_and_comes_with_the_ttl(scene):
    one = named(scene, FAR["far1"], FAR["far2"], ttl=6)
    one.wait_live(FAR["far2"], 1)
    one.far["far2"].close()
    one.wait_live(FAR["far2"], 0)
    version = one.gateway.total(VERSION)
    # asked for just now, so the next question is one TTL away
    asked = one.server.asked
    wait_for(lambda: one.server.asked > asked, "a question", 8)
    asked_at = time.monotonic()
    one.server.addresses = [FAR["far2"], FAR["far3"]]
    wait_for(lambda: one.known() == [ends(FAR["far2"], FAR["far3"])], "the change", 8)
    assert 5 < time.monotonic() - asked_at < 7
    assert one.gateway.total(VERSION) == version + 1
    # what was known of the address that stayed still is
    assert one.live(FAR["far2"]) == 0
    assert set(one.answers(10)) == {"far3"}


def test_names_that_nobody_can_tell_keep_their_addresses(scene):
    """One network for each kind of lie, so that all are told at once."""
    names = [f"{lie}.example" for lie in NameServer.LIES]
    one = named(scene, FAR["far1"], FAR["far2"], names=names, ttl=1)
    version = one.gateway.total(VERSION)
    one.server.lying = True
    for name in names:
        one.gateway.daemon.wait_line(f"{name}.*; the addresses it had stay: 2", 20)
    assert one.known() == len(names) * [ends(FAR["far1"], FAR["far2"])]
    assert one.gateway.total(VERSION) == version
    assert set(one.answers()) == {"far1", "far2"}
    # the truth is taken when it is told again
    one.server.addresses = [FAR["far3"]]
    one.server.lying = False
    wait_for(lambda: one.known() == len(names) * [ends(FAR["far3"])], "the new address", 20)
    assert set(one.answers(10)) == {"far3"}
