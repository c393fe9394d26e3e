# SPDX-License-Identifier: Apache-2.0
"""The three clusters of `fedway lab`, their gateways and workloads, and the control plane over
them, as the steps act on them: through the API, signals, and `fedway lab start|exec|cut|heal`.

            192.0.2.0/24 (wan)
  control .10        cluster1 .21        cluster2 .22        cluster3 .23
  fedwayd            API server, kubelet, gateway, helloworld, sleep, probe: one of each

A workload reaches other clusters through its own gateway's egress door alone.
"""

import contextlib
import dataclasses

from demo import members
from demo.calls import Calls
from demo.lab import Host, Program
from lib import fedwayd, kube, wait
from lib.fedwayd import Fedwayd, is_true, phase
from lib.gateway import FedwayGateway

DOMAIN = "cluster.local"
CONTROL = "192.0.2.10"
INGRESS_PORT, EGRESS_PORT = 15443, 15444
TYPES = {"CDS": "cluster", "EDS": "assignment", "Network": "network", "Snapshot": "snapshot"}
RULE = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": "helloworld", "namespace": "sample"}}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the demo knows of a cluster of the lab."""
    number: int
    prefix: str

    @property
    def name(self):
        return f"mdemo-cluster{self.number}"

    @property
    def short(self):
        return f"c{self.number}"

    @property
    def place(self):
        return f"cluster{self.number}"

    @property
    def address(self):
        return f"192.0.2.2{self.number}"

    @property
    def group(self):
        return f"network-c{self.number}"

    @property
    def version(self):
        return f"vc{self.number}"

    @property
    def gateway(self):
        return f"gw-{self.number}"


PLANS = (Plan(1, "10.201"), Plan(2, "10.201"), Plan(3, "10.100"))


class Control(Fedwayd):
    """The lab's fedwayd."""

    def __init__(self, lab):
        self.host = lab.host("control", address=CONTROL)
        self.address = CONTROL
        self.data = lab.folder / "control" / "fedwayd"
        self.role = "control-plane"
        self.daemon = Program(lab, "control", "fedwayd")
        self.connect()

    def start(self):
        self.daemon.start()
        self.connect()
        return self


class Gateway(FedwayGateway):
    """A gateway of the lab."""

    def __init__(self, lab, plan):
        self.host = lab.host(f"gateway-{plan.short}", address=plan.address)
        self.daemon = Program(lab, plan.place, "gateway")

    def start(self):
        self.daemon.start()


class Site:
    """One cluster: API server, gateway, a helloworld and a sleep."""

    def __init__(self, lab, plan, member):
        self.plan = plan
        self.member = member
        self.gateway = Gateway(lab, plan)
        self.hello = Program(lab, plan.place, "helloworld")
        self.sleep_host = Host(lab, f"sleep-{plan.short}", f"{plan.place}/sleep")

    def table_version(self):
        return self.gateway.total("fedway_gateway_table_version")

    def silent(self):
        """Within the block, nobody else hears of its gateway."""
        return self.gateway.host.silent(INGRESS_PORT)

    def calls(self, count=0, **options):
        """Starts calls of sleep through the own gateway's egress door."""
        return Calls(self.sleep_host, f"{self.plan.prefix}.0.2:{EGRESS_PORT}", count, **options)


class World:
    """Everything, up and ready when it is made. `kind` of the members: real or embedded."""

    def __init__(self, lab, kind):
        self.lab = lab
        if kind == "real":
            servers, file = members.start(lab, PLANS, CONTROL)
            lab.up("--members", file)
        else:
            servers = [members.Embedded(lab, plan) for plan in PLANS]
            lab.up()
        self.control = Control(lab)
        self.sites = [Site(lab, plan, server) for plan, server in zip(PLANS, servers)]
        self.wait_endpoints({site.plan.name: (1, 1) for site in self.sites})
        self.first_sent = self.resources_sent()

    def explain(self):
        """Writes what the gateways count, for who reads the logs of a failure."""
        for site in self.sites:
            with contextlib.suppress(OSError):
                site.gateway.dump()

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
            one.get("live") for one in obj["status"]["addresses"]] == [live], timeout)

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

    def cut(self, one, other):
        """Within the block, the link between two clusters drops every packet."""
        return self.lab.cut(one.plan.place, other.plan.place)

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
