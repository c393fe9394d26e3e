# SPDX-License-Identifier: Apache-2.0
"""Member clusters of the demo: real kube-apiservers with real controllers, or `fedwayd
--role=member`, whose EndpointSlices the demo writes itself. One surface for both."""

import yaml

from lib import kube, objects
from lib.fedwayd import Fedwayd


def put(client, *wanted):
    """Makes each object, or changes it to be so; of a `status` as well."""
    for obj in wanted:
        spec = {key: value for key, value in obj.items() if key != "status"}
        try:
            client.create(spec)
        except kube.ApiError as error:
            if error.code != 409:
                raise
            client.patch(obj, spec)
        if "status" in obj:
            client.set_status(obj, obj["status"])


class Member:
    """A cluster with one node and Pods that the demo, as their kubelet, makes ready or not."""

    def __init__(self, lab, plan, server):
        self.lab = lab
        self.plan = plan
        self.server = server

    @property
    def name(self):
        """Under which it joins."""
        return self.plan.name

    @property
    def admin(self):
        return self.server.admin

    def populate(self):
        """Node, service and accounts."""
        region, zone, subzone = self.plan.locality.split("/")
        put(self.admin, objects.namespace("sample"),
            objects.node("node-1", region, zone, subzone),
            objects.service_account("sample", "helloworld"),
            objects.service_account("sample", "sleep"),
            objects.service("sample", "helloworld", [objects.port(5000, "tls-hello")],
                            {"app": "helloworld"}))

    def pod_is(self, ready):
        """What its kubelet says of the Pod of helloworld."""
        put(self.admin, objects.pod("sample", "helloworld-1", self.plan.hello_ip,
                                    {"app": "helloworld"}, "helloworld", "node-1", ready))

    def serve_probe(self, address):
        """Makes the Pod of fedway-probe an endpoint of its Service, where nobody else does."""

    def probe_is_there(self):
        """What its kubelet says of the Pod of fedway-probe."""
        put(self.admin, objects.pod("fedway-system", "probe-1", self.plan.probe_ip,
                                    {"app.kubernetes.io/name": "fedway-probe"}, "fedway-probe",
                                    "node-1"))

    def token(self, namespace, account, audience, pod=None):
        """A token of a service account; `pod`: bound to it."""
        spec = {"audiences": [audience]}
        if pod:
            uid = self.admin.get("v1", "Pod", namespace, pod)["metadata"]["uid"]
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
        path = self.admin.path("v1", "ServiceAccount", namespace, account, "token")
        answer = self.admin.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        return answer["status"]["token"]


class Real(Member):
    """kube-apiserver and kube-controller-manager."""

    def __init__(self, lab, plan, etcd):
        super().__init__(lab, plan, kube.Cluster(lab, etcd, plan.short, plan.api_ip))

    def wait_ready(self):
        self.server.wait_ready()
        self.server.start_controllers()
        self.admin.wait("v1", "Namespace", None, "kube-system", bool)

    def kubeconfig(self):
        return yaml.safe_dump(self.server.kubeconfig_of(kube.ADMIN_TOKEN))

    def kill(self):
        self.server.daemon.kill()

    def start(self):
        self.server.start()
        self.server.wait_ready()


class Embedded(Member):
    """fedwayd --role=member."""

    def __init__(self, lab, plan):
        super().__init__(lab, plan, Fedwayd(lab.host(f"kube-{plan.short}", lab.wan, plan.api_ip),
                                            role="member"))

    def wait_ready(self):
        self.server.wait_ready()

    def kubeconfig(self):
        return (self.server.data / "admin.kubeconfig").read_text()

    def pod_is(self, ready):
        super().pod_is(ready)
        put(self.admin, objects.endpoint_slice("sample", "helloworld", {"tls-hello": 5000}, [
            objects.endpoint(self.plan.hello_ip, ready, ("sample", "helloworld-1"), "node-1")]))

    def serve_probe(self, address):
        put(self.admin, objects.endpoint_slice("fedway-system", "fedway-probe",
                                               {"tls-probe": 15020}, [
            objects.endpoint(address, True, ("fedway-system", "probe-1"), "node-1")]))

    def probe_is_there(self):
        super().probe_is_there()
        port = self.admin.get("v1", "Service", "fedway-system", "fedway-probe")["spec"]["ports"][0]
        put(self.admin, objects.endpoint_slice(
            "fedway-system", "fedway-probe", {port["name"]: 15020},
            [objects.endpoint(self.plan.probe_ip, True, ("fedway-system", "probe-1"), "node-1")]))

    def kill(self):
        self.server.kill()

    def start(self):
        self.server.start().wait_ready()
