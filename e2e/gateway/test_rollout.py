# SPDX-License-Identifier: Apache-2.0
"""Replicas of a gateway are replaced one after the other under load, with the chart's timing.

    caller ── Service: nftables picks one of the ready addresses, as kube-proxy does ──▶ gateway 1
                                                                                    └──▶ gateway 2

The test is Deployment, kubelet and kube-proxy: a new replica first, then, once it is ready, SIGTERM
to an old one; that it is no address of the Service any more is known SPREAD seconds later.
"""

import threading
import time

import yaml

import hello
from lib import http, parts
from lib.gateway import FedwayGateway
from test_faults import PORT, end, route
from world import read_exactly, wait_for

CHART = parts.ROOT / "helm" / "fedway-gateway"
DRAIN = yaml.safe_load((CHART / "values.yaml").read_text())["drain"]
SERVICE, CALLER, WEB = "172.30.1.1", "172.30.0.40", "172.30.0.50"
REPLICAS = 2
SPREAD = 1.0  # seconds until every node knows a change of the Service's addresses
LASTING = 20  # connections that their owners never close
TIMEOUT = 8  # in place of the chart's, so that the test is no longer than it must be


class Replica(FedwayGateway):
    def __init__(self, host, delay, timeout):
        self.options = (f"--drain-delay={delay}s", f"--drain-timeout={timeout}s")
        super().__init__(host, network="n1", routes=[route(end(WEB))])

    def start(self):
        self.daemon = self.host.daemon("fedway-gateway", parts.ours("fedway-gateway"),
                                       "--config", self.file, *self.options)


class Deployment:
    def __init__(self, lab, upstream, delay, timeout):
        self.lab, self.delay, self.timeout = lab, delay, timeout
        self.made = 0
        self.caller = lab.host("caller", lab.wan, CALLER)
        self.caller.run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535")
        web = lab.host("web", lab.wan, WEB)
        upstream("web", listener=http.listen(web, WEB, PORT))
        self.replicas = [self.replica() for _ in range(REPLICAS)]
        self.publish(self.replicas)

    def replica(self):
        self.made += 1
        host = self.lab.host(f"gateway{self.made}", self.lab.wan, f"172.30.0.{60 + self.made}")
        return Replica(host, self.delay, self.timeout).wait_ready()

    def publish(self, replicas):
        """The Service's addresses from now on."""
        addresses = ", ".join(f"{i} : {one.host.address}" for i, one in enumerate(replicas))
        self.caller.nft(f"""
            table ip service
            delete table ip service
            table ip service {{
                chain output {{
                    type nat hook output priority -100;
                    ip daddr {SERVICE} tcp dport 15443 dnat to numgen random mod {len(replicas)} map {{ {addresses} }}
                }}
            }}""")

    def replace_all(self):
        """Returns how long each old replica took to end."""
        took = []
        for old in list(self.replicas):
            new = self.replica()
            self.publish([*self.replicas, new])
            self.replicas.append(new)
            time.sleep(self.delay)  # minReadySeconds
            self.replicas.remove(old)
            began = time.monotonic()
            old.daemon.signal(15)
            time.sleep(SPREAD)
            self.publish(self.replicas)
            assert old.daemon.wait(self.delay + self.timeout + 5) == 0
            took.append(time.monotonic() - began)
        return took


class Calls:
    """New connections without a pause, and lasting ones that say something every 50 ms."""

    def __init__(self, caller):
        self.caller = caller
        self.answered, self.failed = 0, []
        self.lasting = [self.open() for _ in range(LASTING)]
        self.ports = {one: one.getsockname()[1] for one in self.lasting}
        # what becomes of a call that takes such a port again is a matter of its own
        caller.run("sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=" +
                   ",".join(map(str, self.ports.values())))
        self.cut, self.cut_at = {}, {}
        self.over = threading.Event()
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (*[self.call] * 3, self.ping)]

    def open(self):
        connection = http.connect(self.caller, SERVICE, 15443)
        connection.settimeout(5)
        connection.sendall(hello.openssl())
        assert read_exactly(connection, 4) == b"web\n"
        return connection

    def call(self):
        while not self.over.wait(0.02):
            try:
                with self.open() as connection:
                    connection.sendall(b"a request")
                    assert read_exactly(connection, 9) == b"a request"
                self.answered += 1
            except (OSError, AssertionError) as error:
                self.failed.append(repr(error))

    def ping(self):
        while not self.over.wait(0.05):
            for connection in [one for one in self.lasting if one not in self.cut]:
                try:
                    connection.sendall(b"ping")
                    assert read_exactly(connection, 4) == b"ping"
                except (OSError, AssertionError) as error:
                    self.cut[connection] = repr(error)
                    self.cut_at[connection] = time.monotonic()

    def refused_from(self, connection):
        """A call from the port of a lasting connection that was cut."""
        connection.close()
        try:
            http.connect(self.caller, SERVICE, 15443, source=self.ports[connection]).close()
        except ConnectionRefusedError:
            return True
        return False

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *failure):
        self.over.set()
        for thread in self.threads:
            thread.join(20)
        for connection in self.lasting:
            connection.close()


def test_a_rolling_replacement_fails_no_call_and_cuts_what_outlasts_the_drain(fresh_lab, upstream):
    deployment = Deployment(fresh_lab, upstream, DRAIN["delay"], TIMEOUT)
    with Calls(deployment.caller) as calls:
        took = deployment.replace_all()
        ended = time.monotonic()
        wait_for(lambda: len(calls.cut) == LASTING, "the last resets")
        # To conntrack a port that a replica has reset is the gone replica's for ten seconds, and
        # then the Service's again: a call from there is refused until then, and no other is.
        refused = {one for one in calls.cut if calls.refused_from(one)}
        assert refused == {one for one, at in calls.cut_at.items() if at > ended - 2}
        before = calls.answered
        wait_for(lambda: calls.answered > before + 100, "calls by the new replicas")
    print(f"{calls.answered} calls, {len(calls.failed)} failed; {len(calls.cut)} of {LASTING} "
          f"lasting connections were cut; {took} s")
    assert not calls.failed
    # those that were there at the start, when their replica's time was up and no sooner
    assert len(calls.cut) == LASTING
    assert min(took) > TIMEOUT - 1
    assert all("reset" in error for error in calls.cut.values())


def test_whoever_ends_its_connections_is_not_cut(fresh_lab, upstream):
    """Nobody keeps a connection: a replica ends as soon as it takes none any more."""
    deployment = Deployment(fresh_lab, upstream, DRAIN["delay"], DRAIN["timeout"])
    with Calls(deployment.caller) as calls:
        for connection in calls.lasting:
            calls.cut[connection] = "closed"
            connection.close()
        took = deployment.replace_all()
    print(f"{calls.answered} calls, {len(calls.failed)} failed; {took} s")
    assert not calls.failed
    assert max(took) < DRAIN["delay"] + 3


def test_without_the_delay_calls_fail_until_every_node_knows(fresh_lab, upstream):
    """What the delay is for: this is the loss without it."""
    deployment = Deployment(fresh_lab, upstream, 0, TIMEOUT)
    with Calls(deployment.caller) as calls:
        for connection in calls.lasting:
            calls.cut[connection] = "closed"
            connection.close()
        deployment.replace_all()
    print(f"{calls.answered} calls, {len(calls.failed)} failed")
    assert calls.failed
    assert all("refused" in error for error in calls.failed)


def test_replicas_with_an_address_each_are_replaced_in_place(fresh_lab, upstream):
    """Without a Service: another network's gateway knows both addresses and goes to the other."""
    web = fresh_lab.host("web", fresh_lab.wan, WEB)
    upstream("web", listener=http.listen(web, WEB, PORT))
    hosts = [fresh_lab.host(f"far{i}", fresh_lab.wan, f"172.30.0.{60 + i}") for i in range(REPLICAS)]
    far = [Replica(host, DRAIN["delay"], TIMEOUT).wait_ready() for host in hosts]
    near = FedwayGateway(
        fresh_lab.host("near", fresh_lab.wan, SERVICE), network="n2",
        listeners=[{"name": "egress", "mode": "egress", "address": "0.0.0.0", "port": 15443,
                    "allow": ["0.0.0.0/0"]}],
        routes=[route({"network": "n1", "cluster": "c1"})],
        networks=[{"name": "n1", "gateways": [{"address": host.address, "mark": True}
                                              for host in hosts]}]).wait_ready()
    caller = fresh_lab.host("caller", fresh_lab.wan, CALLER)
    with Calls(caller) as calls:
        for connection in calls.lasting:
            calls.cut[connection] = "closed"
            connection.close()
        for one in far:
            one.daemon.signal(15)
            assert one.daemon.wait(DRAIN["delay"] + TIMEOUT + 5) == 0
            time.sleep(SPREAD)
            one.start()
            one.wait_ready()
            time.sleep(DRAIN["delay"])
    print(f"{calls.answered} calls, {len(calls.failed)} failed")
    assert not calls.failed
    assert near.refused() == 0
