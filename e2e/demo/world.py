# SPDX-License-Identifier: Apache-2.0
"""Three clusters, their gateways and workloads, and the control plane over them.

         172.30.0.0/16 (wan)
  control .5      API servers .11 .12 .13       gateways .31 .32 .33
                                                    │
   network-c1 10.201.0.0/16   network-c2 10.201.0.0/16 (the same)   network-c3 10.100.0.0/16
     .0.2 gateway, .0.10 helloworld, .0.20 sleep, .0.30 probe

A workload reaches other clusters through its own gateway's egress door alone.
"""

import contextlib
import dataclasses

import yaml

from demo.calls import Calls
from demo.members import Embedded, Real, put
from lib import ca, fedwayd, kube, objects, parts, wait
from lib.fedwayd import Fedwayd, is_true, phase
from lib.gateway import INGRESS, FedwayGateway, control_plane

DOMAIN = "cluster.local"
TYPES = {"CDS": "cluster", "EDS": "assignment", "Network": "network", "Snapshot": "snapshot"}
RULE = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": "helloworld", "namespace": "sample"}}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the demo knows of a cluster before it is there."""
    name: str
    short: str
    group: str
    locality: str
    prefix: str
    number: int

    @property
    def pods(self):
        return f"{self.prefix}.0.0/16"

    @property
    def inner_ip(self):
        return f"{self.prefix}.0.2"

    @property
    def hello_ip(self):
        return f"{self.prefix}.0.10"

    @property
    def sleep_ip(self):
        return f"{self.prefix}.0.20"

    @property
    def probe_ip(self):
        return f"{self.prefix}.0.30"

    @property
    def api_ip(self):
        return f"172.30.0.1{self.number}"

    @property
    def gateway_ip(self):
        return f"172.30.0.3{self.number}"

    @property
    def version(self):
        return f"vc{self.number}"

    @property
    def gateway(self):
        return f"gw-{self.number}"


PLANS = (
    Plan("mdemo-cluster1", "c1", "network-c1", "region1/zone1/subzone1", "10.201", 1),
    Plan("mdemo-cluster2", "c2", "network-c2", "region1/zone2/subzone2", "10.201", 2),
    Plan("mdemo-cluster3", "c3", "network-c3", "region2/zone3/subzone3", "10.100", 3),
)


class Site:
    """One cluster: API server, gateway, a helloworld and a sleep."""

    def __init__(self, lab, plan, etcd):
        self.lab = lab
        self.plan = plan
        self.member = Real(lab, plan, etcd) if etcd else Embedded(lab, plan)
        self.network = lab.network(plan.short, plan.pods, f"172.30.0.10{plan.number}")
        self.hello_host = lab.host(f"helloworld-{plan.short}", self.network, plan.hello_ip)
        self.sleep_host = lab.host(f"sleep-{plan.short}", self.network, plan.sleep_ip)
        self.gateway_host = lab.host(f"gateway-{plan.short}", lab.wan, plan.gateway_ip)
        self.gateway_host.attach(self.network, plan.inner_ip)
        self.probe_host = lab.host(f"probe-{plan.short}", self.network, plan.probe_ip)
        self.gateway = None
        self.hello = None

    # --- gateway

    def start_gateway(self, xds_address):
        """With what the member has for it: trust bundle and a token of its account."""
        plan = self.plan
        source = control_plane(self.gateway_host, self.member, plan.gateway)
        assert source["address"] == xds_address
        egress = {"name": "egress", "mode": "egress", "address": plan.inner_ip, "port": 15444,
                  "allow": [plan.pods]}
        self.gateway = FedwayGateway(self.gateway_host, listeners=[INGRESS, egress],
                                     admin={"path": "gateway.sock"}, controlPlane=source)
        self.lab.on_failure(self.gateway.dump)

    # --- probe

    def start_probe(self, xds_address):
        """fedway-probe, with a token bound to its Pod."""
        host, roots = self.probe_host, self.gateway_host.directory / "roots.pem"
        self.member.probe_is_there()
        token = host.directory / "token"
        token.touch(0o600)
        token.write_text(self.member.token("fedway-system", "fedway-probe", "fedway", "probe-1"))
        config = host.directory / "probe.yaml"
        config.write_text(yaml.safe_dump({
            "apiVersion": "fedway.io/v1alpha1", "kind": "ProbeConfig",
            "dataDir": str(host.directory / "data"),
            "controlPlane": {"address": xds_address, "trustFile": str(roots),
                             "tokenFile": str(token), "cluster": self.plan.name}}))
        daemon = host.daemon("fedway-probe", parts.ours("fedway-probe"), "--config", config)
        daemon.wait_line("certificate", 20)

    def table_version(self):
        return self.gateway.total("fedway_gateway_table_version")

    # --- workloads

    def certify(self, control):
        """Certificates of both workloads, from Fedway's CA by the tokens of their accounts."""
        roots = control.data / "certs" / "roots.pem"
        for host, account in ((self.hello_host, "helloworld"), (self.sleep_host, "sleep")):
            token = self.member.token("sample", account, "istio-ca")
            ca.issue(host, control.xds_address, roots, self.plan.name, token,
                     f"spiffe://{DOMAIN}/ns/sample/sa/{account}")

    def start_hello(self, ready=True):
        """Starts helloworld; `ready`: its kubelet says so as well."""
        self.hello = self.hello_host.daemon(
            "helloworld", parts.ours("fedway"), "lab", "workload", "helloworld",
            "--listen", f"{self.plan.hello_ip}:5000", "--answer", self.plan.version)
        wait.until(self._listens, 10, f"{self.hello_host.name} listens")
        if ready:
            self.member.pod_is(ready=True)

    def _listens(self):
        self.hello.check()
        return self.hello_host.run("ss", "-Hltn", "sport = :5000").stdout.strip()

    def kill_hello(self):
        self.hello.kill()

    def calls(self, count=0, **options):
        """Starts calls of sleep through the own gateway's egress door."""
        return Calls(self.sleep_host, f"{self.plan.inner_ip}:15444", count, **options)


class World:
    """Everything, up and ready when it is made. `members`: real or embedded."""

    def __init__(self, lab, members):
        self.lab = lab
        self.members = members
        etcd = kube.Etcd(lab, "172.30.0.2") if members == "real" else None
        self.control = Fedwayd(lab.host("control", lab.wan, "172.30.0.5"))
        self.sites = [Site(lab, plan, etcd) for plan in PLANS]
        self.control.wait_ready()
        for site in self.sites:
            site.member.wait_ready()
            site.member.populate()
        self._join()
        for site in self.sites:
            site.start_gateway(self.control.xds_address)
            site.certify(self.control)
            site.start_hello()
        for site in self.sites:
            site.gateway.wait_ready()
        self.wait_joined()
        self.wait_endpoints({site.plan.name: (1, 1) for site in self.sites})
        self.first_sent = self.resources_sent()

    def _join(self):
        """Secret, Cluster, NetworkGroup and EastWestGateway of each."""
        for site in self.sites:
            plan = site.plan
            put(self.control.admin,
                objects.secret("default", plan.name, {"kubeconfig": site.member.kubeconfig()}),
                fedwayd.group(plan.group),
                fedwayd.cluster(plan.name, plan.group, locality=plan.locality),
                fedwayd.gateway(plan.gateway, plan.name, plan.gateway_ip))
        for site in self.sites:
            self.wait_phase(site, "Ready", 60)

    # --- what the control plane says

    def wait_phase(self, site, wanted, timeout=30.0):
        return self.control.wait("Cluster", site.plan.name,
                                 lambda obj: phase(obj) == wanted, timeout)

    def wait_joined(self, timeout=30.0):
        for site in self.sites:
            self.control.wait("NetworkGroup", site.plan.group,
                              lambda obj: is_true(obj, "Joined"), timeout)

    def wait_live(self, site, live, timeout=20.0):
        """What its group says of its gateway's address."""
        self.control.wait("NetworkGroup", site.plan.group, lambda obj: [
            one["live"] for one in obj["status"]["addresses"]] == [live], timeout)

    def wait_endpoints(self, wanted, timeout=30.0):
        self.control.wait("MeshService", "helloworld",
                          lambda obj: fedwayd.counts(obj) == wanted, timeout, "sample")

    def resources_sent(self):
        """How many resources of each type gateways have acknowledged since fedwayd began."""
        return {word: self.control.total("fedway_xds_resources_sent_total", type=kind)
                for word, kind in TYPES.items()}

    def matrix(self):
        """The connectivity matrix, measured anew; None: this fedwayd has none."""
        path = "/apis/answers.fedway.io/v1alpha1/connectivitymatrices"
        try:
            return self.control.admin.request("POST", path, {
                "apiVersion": "answers.fedway.io/v1alpha1", "kind": "ConnectivityMatrix",
                "spec": {"run": True}})
        except kube.ApiError as error:
            if error.code in (404, 501):
                return None
            raise

    @contextlib.contextmanager
    def cut(self, one, other):
        """Within the block, what either's workloads send to the other's gateway is dropped."""
        sides = [(one, other), (other, one)]
        for source, target in sides:
            source.network.refuse(f"{target.plan.gateway_ip}/32")
        try:
            yield
        finally:
            for source, _ in sides:
                source.network.host.nft("flush chain ip lab refused\n")

    # --- what somebody changes

    def join_interconnect(self, site, joined):
        self.control.admin.patch(fedwayd.group(site.plan.group),
                                 {"spec": {"interconnect": {"joined": joined}}})

    def set_rule(self, locality):
        """The policy of helloworld: its localityLbSetting; None: no rule at all."""
        admin = self.control.admin
        spec = {"host": f"helloworld.sample.svc.{DOMAIN}",
                "trafficPolicy": {"loadBalancer": {"localityLbSetting": locality}}}
        path = admin.path(RULE["apiVersion"], RULE["kind"], "sample", RULE["metadata"]["name"])
        try:
            there = admin.request("GET", path)
        except kube.ApiError as error:
            if error.code != 404:
                raise
            there = None
        if locality is None and there:
            admin.delete(RULE)
        elif there:
            admin.request("PUT", path, {**there, "spec": spec})
        elif locality is not None:
            admin.create({**RULE, "spec": spec})

    @contextlib.contextmanager
    def new_tables(self, *sites, timeout=20.0):
        """After the block, waits until the gateways of these sites route by another table."""
        before = {site: site.table_version() for site in sites}
        yield
        for site, version in before.items():
            wait.until(lambda site=site, version=version: site.table_version() != version,
                       timeout, f"a new table of {site.plan.gateway}")
