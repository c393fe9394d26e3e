# SPDX-License-Identifier: Apache-2.0
"""A stock Istio mesh of two clusters in two networks, to which a test adds the gateway of n2.

      n1, cluster c1                    wan                         n2, cluster c2
  client + stock sidecar ── router ── gateway:15443 ────────────── web + stock sidecar
              istiod c1, istiod c2, kube-apiserver c1, kube-apiserver c2

Real kube-apiservers, a stock istiod for each cluster that reads the other one by remote secret,
one root for both, stock Envoy as sidecars. Nothing in it knows of us.
"""

import sys

from lib import istio, kube, objects, parts, pki, tls
from programs import web as web_program

NAMESPACE = "shop"
N1, N2 = "10.11.0.0/16", "10.12.0.0/16"
CLIENT_IP, WEB_IP = "10.11.0.10", "10.12.0.10"
WEB_PORT = 8080
CLIENT_UID = 65534
WEB_SNI = istio.sni("web", NAMESPACE, 80)
PRIVATE_SNI = istio.sni("private", NAMESPACE, 80)
CLIENT_ID = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/client"
WEB_ID = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/web"
GATEWAY_LABELS = {"istio": "eastwestgateway", "app": "istio-eastwestgateway"}


class Mesh:
    """Running when it is made: both clusters read, both sidecars ready. No gateway yet."""

    def __init__(self, lab):
        self.lab = lab
        self.n1 = lab.network("n1", N1, "172.30.0.101")
        self.n2 = lab.network("n2", N2, "172.30.0.102")
        self.n1.refuse(N2)
        self.n2.refuse(N1)
        etcd = kube.Etcd(lab, "172.30.0.2")
        self.c1 = kube.Cluster(lab, etcd, "c1", "172.30.0.11")
        self.c2 = kube.Cluster(lab, etcd, "c2", "172.30.0.12")
        self.c1.wait_ready()
        self.c2.wait_ready()
        self.root = pki.root("mesh-root")
        self._configure()
        self.istiod1 = istio.Istiod(lab, self.c1, "172.30.0.21", self.root.issue_ca("istiod-1"))
        self.istiod2 = istio.Istiod(lab, self.c2, "172.30.0.22", self.root.issue_ca("istiod-2"))
        for istiod in (self.istiod1, self.istiod2):
            istiod.wait_ready().wait_clusters("c1", "c2")
        self._start_workloads()

    def _configure(self):
        for cluster, network in ((self.c1, "n1"), (self.c2, "n2")):
            istio.install_crds(cluster)
            istio.join_network(cluster, network)
            cluster.admin.apply(istio.strict_mutual_tls())
        self.c1.admin.apply(istio.remote_secret(self.c2))
        self.c2.admin.apply(
            istio.remote_secret(self.c1),
            objects.passthrough_gateway(istio.SYSTEM, "cross-network-gateway",
                                        [f"web.{NAMESPACE}.svc.cluster.local"], GATEWAY_LABELS))
        ports = [objects.port(80, "http", WEB_PORT)]
        for cluster in (self.c1, self.c2):
            cluster.admin.apply(
                objects.namespace(NAMESPACE),
                objects.service_account(NAMESPACE, "client"),
                objects.service_account(NAMESPACE, "web"),
                objects.service(NAMESPACE, "web", ports),
                objects.service(NAMESPACE, "private", ports))
        self.client_pod = objects.pod(NAMESPACE, "client-1", CLIENT_IP, {"app": "client"},
                                      "client", "node-1")
        self.web_pod = objects.pod(NAMESPACE, "web-1", WEB_IP, {"app": "web"}, "web", "node-2")
        self.c1.admin.apply(objects.node("node-1", "region1", "zone1"), self.client_pod)
        self.c2.admin.apply(objects.node("node-2", "region1", "zone2"), self.web_pod)
        for name in ("web", "private"):
            self.c2.admin.apply(objects.endpoint_slice(
                NAMESPACE, name, {"http": WEB_PORT},
                [objects.endpoint(WEB_IP, pod=(NAMESPACE, "web-1"), node="node-2")]))

    def _start_workloads(self):
        lab = self.lab
        server = lab.host("web", self.n2, WEB_IP)
        self.web = istio.Sidecar(server, self.c2, "n2", self.istiod2, self.web_pod)
        self.web.capture_inbound(WEB_PORT)
        client = lab.host("client", self.n1, CLIENT_IP)
        self.client = istio.Sidecar(client, self.c1, "n1", self.istiod1, self.client_pod)
        self.client.capture_outbound(CLIENT_UID, 80)
        self.name_services("web", "private")
        program = server.daemon("web", sys.executable, web_program.__file__, WEB_PORT, "web-1")
        program.wait_line("listening")
        for sidecar in (self.web, self.client):
            lab.on_failure(sidecar.dump)
            sidecar.wait_ready()
        self.outsider = lab.host("outsider", lab.wan, "172.30.0.200")
        self.identity = self.root.issue_ca("outsider").issue("client", uris=[CLIENT_ID])

    def name_services(self, *names):
        """Makes these services of c1 known to the client, as the DNS of c1 would."""
        table = {}
        for name in names:
            service = self.c1.admin.get("v1", "Service", NAMESPACE, name)
            for form in (name, f"{name}.{NAMESPACE}", f"{name}.{NAMESPACE}.svc.cluster.local"):
                table[form] = service["spec"]["clusterIP"]
        self.client.host.names(table)

    def call(self, url, *options, stdin=None):
        """Runs curl as the client workload; returns (HTTP status, body as bytes)."""
        result = self.client.host.run(
            parts.tool("setpriv"), f"--reuid={CLIENT_UID}", f"--regid={CLIENT_UID}",
            "--clear-groups", parts.tool("curl"), "--silent", "--show-error", "--max-time", "20",
            "--write-out", "%{stderr}%{http_code}", *options, url, input=stdin, text=False)
        return int(result.stderr), result.stdout

    def knock(self, gateway, name, alpn=("istio",)):
        """A handshake from outside with a gateway, with the client's identity."""
        return tls.handshake(self.outsider, gateway.host.address, 15443, name, alpn=alpn,
                             identity=self.identity)

    def announce(self, address):
        """Makes `address` the gateway of n2, and waits until the client's sidecar uses it."""
        service = objects.load_balancer(
            istio.SYSTEM, "istio-eastwestgateway", [objects.port(15443, "tls")], address,
            {**GATEWAY_LABELS, "topology.istio.io/network": "n2"})
        self.c2.admin.apply(service)
        for name in ("web", "private"):
            self.client.admin.wait_endpoints(istio.cluster_name(name, NAMESPACE, 80),
                                             {f"{address}:15443"})
