# SPDX-License-Identifier: Apache-2.0
"""fedway-gateway as a client of a control plane: routes, disk copy, certificate, canary, reports.

The control plane is fedway-ads-test, which serves a mesh from a file.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import time

import pytest

import hello
import world
from fixtures import OUTPUT
from lib import parts
from lib.gateway import FedwayGateway
from lib.process import Daemon
from world import connect, read_exactly, wait_for

OTHER = "outbound_.80_._.other.sample.svc.cluster.local"
FAST = ("--drain-delay", "0s", "--drain-timeout", "2s")


def route(*endpoints, sni=hello.NAME, **more):
    """Endpoints of one priority."""
    return {"sni": sni, "priorities": [list(endpoints)], **more}


def network(name, port, **more):
    return {"name": name, "gateways": [{"cluster": "c2", "address": world.HOST, "port": port,
                                        **more}]}


class Plane:
    """fedway-ads-test; the mesh is a dict by cluster."""

    def __init__(self, directory, ttl=3600, start=None, host=None, address=world.HOST):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        self.directory = directory
        self.file = directory / "mesh.json"
        self.roots = directory / "store" / "roots.pem"
        self.ttl = ttl
        self.host = host
        self.address = address
        self.port = 15012 if host else world.unused_port()
        self.write({})
        self.daemon = None
        if start is not False:
            self.start()

    def start(self, *how):
        """`how`: its bursts are wrong, "unfinished" or "miscounted"."""
        words = [parts.ours("fedway-ads-test"), self.directory / "store", self.file,
                 f"{self.address}:{self.port}", str(self.ttl), *how]
        argv = self.host.argv(*words) if self.host else words
        self.daemon = Daemon("fedway-ads-test", argv, self.directory)
        self.daemon.wait_line("listening address=")
        return self

    def write(self, mesh):
        beside = self.file.with_suffix(".new")
        beside.write_text(json.dumps(mesh))
        os.replace(beside, self.file)

    def serve(self, **mesh):
        """Takes this mesh, and tells every stream."""
        seen = self.daemon.lines_so_far()
        self.write(mesh)
        self.daemon.signal(signal.SIGHUP)
        if mesh:
            self.daemon.wait_line(" mesh cluster=", 10, after=seen)

    def kill(self):
        self.daemon.kill()

    def count(self, pattern):
        return len(self.daemon.lines(pattern))


class Gateway(world.Gateway):
    """A gateway that takes its routes from a control plane."""

    def __init__(self, directory, plane, *options, cluster="c1", name="gw-1", ready=True,
                 **config):
        self.plane = plane
        self.wait_ready = ready
        self.block = {"address": f"{world.HOST}:{plane.port}", "trustFile": str(plane.roots),
                      "tokenFile": str(directory / "token"), "cluster": cluster, "name": name}
        (directory / "token").write_text(f"good.{name}\n")
        super().__init__(directory, *FAST, *options, **config)

    def config(self, **config):
        whole = super().config(**config)
        del whole["network"]
        return {**whole, "controlPlane": self.block}

    def start(self, *options, env=None, ready=None):
        if self.wait_ready if ready is None else ready:
            super().start(*options, env=env)
            return
        self.daemon = Daemon("fedway-gateway", [parts.ours("fedway-gateway"), "--config",
                                                self.file, *options], self.directory, env=env)

    def status(self):
        return json.loads(self.admin("GET", "/status")[1])

    def mesh(self):
        return self.status()["controlPlane"]

    def copy(self):
        return self.directory / "data" / "mesh.copy"

    def says(self, data, answer):
        """Waits until it answers so."""
        wait_for(lambda: self.call(data) == answer, f"the answer {answer}")


@pytest.fixture
def place(request):
    """place(name): a directory for one program of the test."""
    return lambda name: OUTPUT / "gateway" / f"{request.node.name}-{name}".replace("/", "_")


@pytest.fixture
def plane(request, place):
    """plane(**options): a control plane."""
    made = []

    def make(**options):
        made.append(Plane(place(f"plane{len(made)}"), **options))
        return made[-1]

    yield make
    bad = []
    for one in made:
        if one.daemon:
            one.daemon.stop()
            bad += one.daemon.lines("ERROR: |runtime error|SUMMARY: ")
        if not bad and not getattr(request.node, "failed", False):
            shutil.rmtree(one.directory, ignore_errors=True)
    assert not bad


@pytest.fixture
def member(request, place):
    """member(plane, *options, **config): a gateway of a control plane."""
    made = []

    def make(control, *options, **more):
        directory = place(f"gw{len(made)}")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        made.append(Gateway(directory, control, *options, **more))
        return made[-1]

    yield make
    bad = []
    for one in made:
        one.stop()
        bad += one.daemon.lines("ERROR: |runtime error|SUMMARY: ")
        if bad or getattr(request.node, "failed", False):
            print(one.daemon.tail())
        elif not os.environ.get("FEDWAY_KEEP"):
            shutil.rmtree(one.directory, ignore_errors=True)
    assert not bad


def simple(up, **more):
    return {"network": "n1", "peers": ["c1", "c2"], "routes": [route(up.endpoint())], **more}


# --- routes --------------------------------------------------------------------------------------

def test_routes_arrive_and_change_without_cutting_connections(plane, member, upstream):
    a, b = upstream("a"), upstream("b")
    control = plane()
    control.serve(c1=simple(a))
    one = member(control)
    assert one.ready() == 200
    assert one.call(hello.openssl()) == b"a\n"
    with connect(one.port) as kept:
        kept.sendall(hello.openssl())
        read_exactly(kept, 2)
        control.serve(c1=simple(b))
        one.says(hello.openssl(), b"b\n")
        control.serve(c1={**simple(b), "routes": [route(b.endpoint(), sni=OTHER)]})
        one.says(hello.openssl(), hello.alert(112))
        assert one.call(hello.openssl(OTHER)) == b"b\n"
        kept.sendall(b"ping")
        assert read_exactly(kept, 4) == b"ping"
    assert one.total("fedway_gateway_control_plane_connected") == 1
    assert one.mesh()["bursts"] == 3


def test_source_ranges_of_the_mesh_hold_for_ingress_doors(plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c1=simple(up, sourceRanges=["192.0.2.0/24"]))
    one = member(control)
    with connect(one.port) as stranger:
        assert stranger.recv(1) == b""
    assert one.closed("not_allowed", door="ingress", error="true") == 1
    assert one.refusals()[0]["reason"] == "not_allowed"
    assert one.call(hello.openssl(), one.ports["egress"]) == b"up\n"
    # they are in the copy that a start without control plane reads
    wait_for(lambda: one.copy().exists(), "the copy")
    control.kill()
    one.daemon.kill()
    one.start(*FAST)
    with connect(one.port) as stranger:
        assert stranger.recv(1) == b""
    control.start()
    control.serve(c1=simple(up, sourceRanges=["192.0.2.0/24", "127.0.0.1"]))
    wait_for(lambda: lets_in(one), "the wider ranges")


def lets_in(one):
    try:
        return one.call(hello.openssl()) == b"up\n"
    except ConnectionError:
        return False


def test_ten_thousand_routes_arrive_and_one_of_them_changes(plane, member, upstream):
    a, b = upstream("a"), upstream("b")
    control = plane()
    many = [route({"address": "192.0.2.1", "port": 80}, sni=f"outbound_.{n}_._.x.y") for n in
            range(1, 10001)]
    control.serve(c1={**simple(a), "routes": [*many, route(a.endpoint())]})
    one = member(control)
    assert one.status()["routes"] == 10002
    control.serve(c1={**simple(a), "routes": [*many, route(b.endpoint())]})
    one.says(hello.openssl(), b"b\n")
    wait_for(lambda: one.copy().exists(), "the copy")


def test_the_good_resources_of_a_response_are_taken_and_the_bad_ones_named(plane, member, upstream):
    up = upstream()
    control = plane()
    bad = route(up.endpoint(), sni=OTHER, garbage=1)
    control.serve(c1={**simple(up), "routes": [route(up.endpoint()), bad]})
    one = member(control)
    assert one.call(hello.openssl()) == b"up\n"
    assert one.call(hello.openssl(OTHER)) == hello.alert(112)
    control.daemon.wait_line(f"nack type=cluster {OTHER}: ")
    control.daemon.wait_line(f"refused {OTHER} ", 5)
    control.serve(c1={**simple(up), "routes": [route(up.endpoint()),
                                               route(up.endpoint(), sni=OTHER)]})
    one.says(hello.openssl(OTHER), b"up\n")
    control.daemon.wait_line("report .* refused=0", 5, after=control.daemon.lines_so_far())
    assert one.mesh()["resyncs"] == 0


# --- without control plane -----------------------------------------------------------------------

def test_a_killed_control_plane_changes_nothing_and_its_return_is_seen(plane, member, upstream):
    a, b = upstream("a"), upstream("b")
    control = plane()
    control.serve(c1=simple(a))
    one = member(control)
    control.kill()
    wait_for(lambda: not one.mesh()["connected"], "the loss")
    assert (one.ready(), one.call(hello.openssl())) == (200, b"a\n")
    control.write({"c1": simple(b)})
    control.start()
    one.says(hello.openssl(), b"b\n")
    wait_for(lambda: one.mesh()["connected"], "the return")


def test_a_gateway_starts_from_its_disk_copy_while_the_control_plane_is_dead(plane, member,
                                                                             upstream):
    a, b = upstream("a"), upstream("b")
    control = plane()
    control.serve(c1=simple(a))
    one = member(control)
    wait_for(lambda: one.copy().exists(), "the copy")
    assert one.copy().stat().st_mode & 0o777 == 0o600
    assert one.copy().read_bytes().startswith(b"fedway-gateway-mesh 1 ")
    control.kill()
    one.daemon.kill()
    one.start()
    assert (one.ready(), one.call(hello.openssl())) == (200, b"a\n")
    assert one.mesh()["fromDiskCopy"] is True
    control.write({"c1": simple(b)})
    control.start()
    one.says(hello.openssl(), b"b\n")
    assert one.mesh()["fromDiskCopy"] is False


def test_without_a_usable_copy_the_doors_stay_closed_until_the_mesh_is_complete(plane, member,
                                                                                upstream):
    up = upstream()
    control = plane()
    control.serve(c1=simple(up))
    one = member(control)
    wait_for(lambda: one.copy().exists(), "the copy")
    control.kill()
    one.daemon.kill()
    one.copy().write_bytes(one.copy().read_bytes()[:-1] + b"x")
    one.start(*FAST, ready=False)
    one.daemon.wait_line("is damaged: the checksum differs")
    wait_for(lambda: one.admin_path.exists(), "the admin socket")
    one.ports["health"] = int(one.daemon.wait_line(r"listening name=health .*:(\d+)").group(1))
    assert one.ready() == 503
    assert one.status()["state"] == "starting"
    with pytest.raises(ConnectionRefusedError):
        connect(one.port).close()
    control.write({"c1": simple(up)})
    control.start()
    one.daemon.wait_line(" ready ", 20)
    one.port = int(one.daemon.wait_line(r"listening name=ingress .*:(\d+)").group(1))
    assert (one.ready(), one.call(hello.openssl())) == (200, b"up\n")


def test_a_cluster_that_has_left_drains_and_leaves_no_copy(plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c1=simple(up))
    one = member(control)
    wait_for(lambda: one.copy().exists(), "the copy")
    with connect(one.port) as kept:
        kept.sendall(hello.openssl())
        read_exactly(kept, 3)
        control.serve(c1={"left": 1})
        one.daemon.wait_line("the cluster has left the mesh", 10)
        wait_for(lambda: one.ready() == 503, "unready")
        kept.sendall(b"ping")
        assert read_exactly(kept, 4) == b"ping"
    assert one.daemon.wait(10) == 0
    assert not one.copy().exists()


# --- certificate ---------------------------------------------------------------------------------

def test_a_short_lived_certificate_is_renewed_by_itself_without_the_token(plane, member, upstream):
    up = upstream()
    control = plane(ttl=4)
    control.serve(c1=simple(up))
    one = member(control)
    (one.directory / "token").unlink()
    wait_for(lambda: one.mesh()["certificateRenewals"] >= 3, "renewals", 20)
    assert control.count("review ") == 1
    # what is there goes on, though the certificate of its stream is expired by now
    assert one.call(hello.openssl()) == b"up\n"
    assert (one.directory / "data" / "tls.pem").stat().st_mode & 0o777 == 0o600


def test_an_expired_certificate_leads_back_to_the_token(plane, member, upstream):
    up = upstream()
    control = plane(ttl=2)
    control.serve(c1=simple(up))
    one = member(control)
    control.kill()
    until = time.time() + 3
    wait_for(lambda: time.time() > until, "the end of the certificate")
    assert one.call(hello.openssl()) == b"up\n"
    control.start()
    wait_for(lambda: one.mesh()["connected"], "the stream", 30)
    assert control.count("review .*good=1") >= 1


def test_a_wrong_token_is_said_and_a_good_one_is_taken_later(plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c1=simple(up))
    one = member(control)
    wait_for(lambda: one.copy().exists(), "the copy")
    one.daemon.kill()
    (one.directory / "data" / "tls.pem").unlink()
    (one.directory / "token").write_text("bad")
    one.start()
    one.daemon.wait_line("no certificate from the control plane: .*UNAUTHENTICATED", 10)
    assert one.call(hello.openssl()) == b"up\n"
    (one.directory / "token").write_text("good.gw-1")
    # the back-off between two tries may have grown meanwhile
    wait_for(lambda: one.mesh()["connected"], "the stream", 70)


# --- between gateways ----------------------------------------------------------------------------

def two(plane, member, up, ttl=3600, env=None):
    """gw-1 of c1 and gw-2 of c2, each other's gateways. `env`: of gw-1."""
    control = plane(ttl=ttl)
    control.serve(c2={"network": "n2", "peers": ["c1", "c2"], "routes": [route(up.endpoint())]})
    b = member(control, cluster="c2", name="gw-2")
    mesh1 = {"network": "n1", "peers": ["c1", "c2"], "networks": [network("n2", b.port)],
             "routes": [route({"network": "n2", "cluster": "c2"})]}
    control.serve(c1=mesh1, c2={"network": "n2", "peers": ["c1", "c2"],
                                "routes": [route(up.endpoint())]})
    a = member(control, env=env)
    return control, a, b


def wait_report(control, address, live, timeout=10, reason=""):
    return control.daemon.wait_line(f"address n2/c2 {address} live={live} .*reason=.*{reason}",
                                    timeout, after=control.daemon.lines_so_far())


def canary(port, name="n2", alpn=("istio",), chain=None):
    """The first byte that comes back from a canary."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    if chain:
        context.load_cert_chain(chain)
    with connect(port) as plain:
        with context.wrap_socket(plain,
                                 server_hostname=f"_canary.{name}.fedway.internal") as wrapped:
            wrapped.sendall(b"x")
            return wrapped.recv(10)


def test_gateways_prove_each_other_by_their_canaries_and_report_it(plane, member, upstream):
    control, a, b = two(plane, member, upstream())
    control.daemon.wait_line(rf"address n2/c2 127.0.0.1:{b.port} live=1 rtt=[1-9]", 10)
    control.daemon.wait_line(f"report version={a.mesh()['version']} addresses=1 routes=0 refused=0")
    # the egress door leads through the other network's ingress
    assert a.call(hello.openssl(), port=a.ports["egress"]) == b"up\n"
    own = a.directory / "data" / "tls.pem"
    assert canary(b.port, chain=own) == b"x"
    # kept: one connection over several pings
    before = b.total("fedway_gateway_accepted_connections_total")
    until = control.daemon.lines_so_far()
    for _ in range(4):
        control.daemon.wait_line("report ", 5, after=until)
        until = control.daemon.lines_so_far()
    assert b.total("fedway_gateway_accepted_connections_total") == before


def test_a_canary_answers_nobody_but_gateways_and_probes_of_its_peers(plane, member, upstream):
    up = upstream()
    control, a, b = two(plane, member, up)
    own = a.directory / "data" / "tls.pem"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        canary(b.port)
    with pytest.raises(ssl.SSLError):
        canary(b.port, name="n1", chain=own)
    with pytest.raises(ssl.SSLError):
        canary(b.port, alpn=("http/1.1",), chain=own)
    seen = control.daemon.lines_so_far()
    control.serve(c2={"network": "n2", "peers": ["c2"], "routes": [route(up.endpoint())]})
    control.daemon.wait_line("ack type=peers", 10, after=seen)
    b.daemon.wait_line("canary refused a caller: .*'c1' is no peer", 20)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        canary(b.port, chain=own)


def test_a_gateway_that_still_accepts_but_does_not_work_is_found_dead(plane, member, upstream):
    control, a, b = two(plane, member, upstream())
    address = f"127.0.0.1:{b.port}"
    wait_report(control, address, 1)
    b.daemon.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        wait_report(control, address, 0, 10, "within a second")
        assert time.monotonic() - began < 7
        assert a.call(hello.openssl(), port=a.ports["egress"]) == hello.alert(80)
        control.daemon.wait_line("report .* routes=1 ", 5)
    finally:
        b.daemon.signal(signal.SIGCONT)
    wait_report(control, address, 1, 10)
    assert a.call(hello.openssl(), port=a.ports["egress"]) == b"up\n"


def test_the_wrong_gateway_behind_an_address_is_found_dead(plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c3={"network": "n2", "peers": ["c1"], "routes": [route(up.endpoint())]})
    wrong = member(control, cluster="c3", name="gw-3")
    control.serve(c1={"network": "n1", "peers": [], "networks": [network("n2", wrong.port)],
                      "routes": []})
    member(control)
    wait_report(control, f"127.0.0.1:{wrong.port}", 0, 10, "cluster 'c3', not of 'c2'")


def test_a_drain_does_not_wait_for_the_checks_of_other_gateways(plane, member, upstream):
    control, _, b = two(plane, member, upstream())
    wait_report(control, f"127.0.0.1:{b.port}", 1)
    began = time.monotonic()
    b.daemon.signal(signal.SIGTERM)
    assert b.daemon.wait(10) == 0
    assert time.monotonic() - began < 1.8, "less than the drain timeout"
    wait_report(control, f"127.0.0.1:{b.port}", 0)


def test_expired_certificates_raise_an_alarm_and_kill_no_check(plane, member, upstream):
    control, a, b = two(plane, member, upstream(), ttl=2)
    address = f"127.0.0.1:{b.port}"
    wait_report(control, address, 1)
    control.kill()
    until = time.time() + 6
    wait_for(lambda: time.time() > until, "the end of both certificates")
    # seen by the next handshake, of which there is one each 15 s
    a.daemon.wait_line(f"certificate of a remote gateway is expired; .* address={address} ", 20)
    end = "fedway_gateway_address_certificate_not_after_seconds"
    assert 0 < a.total(end, address=address) < time.time()
    assert a.total("fedway_gateway_address_live", address=address) == 1
    assert a.call(hello.openssl(), port=a.ports["egress"]) == b"up\n"
    control.start()
    wait_for(lambda: a.total(end, address=address) > time.time() - 2, "the renewed one", 40)
    wait_report(control, address, 1, 20)
    assert not control.daemon.lines(f"address n2/c2 {address} live=0")


@pytest.mark.parametrize("mark", [0, 1])
def test_the_mark_goes_only_to_gateways_that_take_it(plane, member, upstream, mark):
    seen = []

    def note(connection, _):
        data = connection.recv(65536)
        if data and b"helloworld" in data:
            seen.append(data)
        connection.sendall(b"up\n" if data else b"")

    far = upstream(serve=note)
    control = plane()
    control.serve(c1={"network": "n1", "peers": [], "networks": [network("n2", far.port, mark=mark)],
                      "routes": [route({"network": "n2", "cluster": "c2"})]})
    one = member(control)
    assert one.call(hello.openssl(), port=one.ports["egress"]) == b"up\n"
    assert seen[0].startswith(b"\r\n\r\n\0") == bool(mark)
    if mark:
        assert seen[0][12:].startswith(b"\x20\0\0\x06\xe5\0\x03\x01c2\x16\x03")


# --- in namespaces -------------------------------------------------------------------------------

def in_lab(lab, control, cluster, name, address):
    host = lab.host(name, lab.wan, address)
    (host.directory / "token").write_text(f"good.{name}")
    return FedwayGateway(host, controlPlane={
        "address": f"{control.address}:{control.port}", "trustFile": str(control.roots),
        "tokenFile": str(host.directory / "token"), "cluster": cluster, "name": name}).wait_ready()


def test_a_silent_cut_is_found_within_seconds_and_so_is_its_end(fresh_lab):
    lab = fresh_lab
    host = lab.host("control", lab.wan, "172.30.0.30")
    control = Plane(host.directory / "plane", start=False, host=host, address=host.address)
    far = {"name": "n2", "gateways": [{"cluster": "c2", "address": "172.30.0.32"}]}
    control.write({"c1": {"network": "n1", "peers": ["c2"], "networks": [far], "routes": []},
                   "c2": {"network": "n2", "peers": ["c1"], "networks": [], "routes": []}})
    lab.daemons.append(control.start().daemon)
    control.daemon.host_name = "control"
    in_lab(lab, control, "c1", "gw-1", "172.30.0.31")
    cut = in_lab(lab, control, "c2", "gw-2", "172.30.0.32").host
    address = "172.30.0.32:15443"
    control.daemon.wait_line(f"address n2/c2 {address} live=1 rtt=[1-9]", 10)
    with cut.silent():
        began = time.monotonic()
        wait_report(control, address, 0, 10)
        assert time.monotonic() - began < 6
    began = time.monotonic()
    wait_report(control, address, 1, 10)
    assert time.monotonic() - began < 6


# --- configuration -------------------------------------------------------------------------------

@pytest.mark.parametrize("change, message", [
    ({"name": ""}, "controlPlane.name: is missing"),
    ({"cluster": None}, "controlPlane.cluster: is missing"),
    ({"cluster": "C 1"}, "must be DNS labels"),
    ({"type": "istiod"}, "controlPlane.istiod: is missing; type istiod needs namespace"),
])
def test_a_wrong_block_is_said_at_once(tmp_path, change, message):
    block = {"address": "127.0.0.1:1", "trustFile": "/nonexistent", "cluster": "c1", "name": "g"}
    block = {k: v for k, v in {**block, **change}.items() if v is not None}
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({
        "apiVersion": "fedway.io/v1alpha1", "kind": "GatewayConfig", "controlPlane": block,
        "dataDir": str(tmp_path / "data"),
        "listeners": [{"name": "i", "mode": "ingress", "address": "127.0.0.1", "port": 0}]}))
    ended = Daemon("fedway-gateway", [parts.ours("fedway-gateway"), "--config", file], tmp_path)
    ended.wait_line(re.escape(message), 20)
    assert ended.wait(20) == 1
