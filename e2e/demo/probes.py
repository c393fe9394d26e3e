# SPDX-License-Identifier: Apache-2.0
"""fedway-probe in each cluster, and the connectivity matrix that they fill."""

import contextlib

import yaml

from demo.members import put
from lib import objects, parts

NAMESPACE, NAME, PORT = "fedway-system", "fedway-probe", 15020
MATRIX = "/apis/answers.fedway.io/v1alpha1/connectivitymatrices"


class Probe:
    """The Pod of fedway-probe in one cluster: known to its API server, with a token bound to it."""

    def __init__(self, site):
        plan, member = site.plan, site.member
        self.site = site
        self.host = site.lab.host(f"probe-{plan.short}", site.network, f"{plan.prefix}.0.30")
        trust = member.admin.wait("v1", "ConfigMap", NAMESPACE, "fedway-trust", bool)["data"]
        put(member.admin, objects.pod(NAMESPACE, "probe-1", self.host.address,
                                      {"app.kubernetes.io/name": NAME}, NAME, "node-1"))
        member.serve_probe(self.host.address)
        files = {"roots.pem": trust["roots.pem"], "token": self._token()}
        for name, text in files.items():
            (self.host.directory / name).touch(0o600)
            (self.host.directory / name).write_text(text)
        config = self.host.directory / "probe.yaml"
        config.write_text(yaml.safe_dump({
            "apiVersion": "fedway.io/v1alpha1", "kind": "ProbeConfig",
            "controlPlane": {"address": trust["xdsAddress"], "cluster": plan.name,
                             "trustFile": str(self.host.directory / "roots.pem"),
                             "tokenFile": str(self.host.directory / "token")},
            "listener": {"address": self.host.address, "port": PORT},
            "dataDir": str(self.host.directory / "data")}))
        self.daemon = self.host.daemon("fedway-probe", parts.ours("fedway-probe"),
                                       "--config", config)

    def _token(self):
        admin = self.site.member.admin
        pod = admin.get("v1", "Pod", NAMESPACE, "probe-1")
        path = admin.path("v1", "ServiceAccount", NAMESPACE, NAME, "token")
        answer = admin.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": ["fedway"],
                     "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "probe-1",
                                        "uid": pod["metadata"]["uid"]}}})
        return answer["status"]["token"]


def run(control):
    """Runs every check and returns the ConnectivityMatrix."""
    return control.admin.request("POST", MATRIX, {
        "apiVersion": "answers.fedway.io/v1alpha1", "kind": "ConnectivityMatrix",
        "spec": {"run": True}})


def states(matrix):
    """{(from, to): state} of the expected cells."""
    return {(cell["from"], cell["to"]): cell["state"] for cell in matrix["cells"]
            if cell["expected"]}


def failing(matrix):
    """"c1 → c2 connect FED-111" for each cell that is not well."""
    lines = []
    for cell in matrix["cells"]:
        if cell["expected"] and cell["state"] not in ("Ok", "Slow"):
            stages = [stage["name"] for stage in cell.get("stages", []) if not stage["ok"]]
            lines.append(f"{cell['from']} → {cell['to']} {cell['state']} "
                         f"{' '.join(stages)} {cell['code']}")
    return lines


@contextlib.contextmanager
def cut(site, other):
    """Within the block nothing of this cluster reaches the other's gateway, silently."""
    router = site.network.host
    router.nft(f"table ip cut {{\n  chain forward {{ type filter hook forward priority 0;\n"
               f"    ip daddr {other.plan.gateway_ip} drop\n  }}\n}}\n")
    try:
        yield
    finally:
        router.nft("delete table ip cut\n")


def render(control):
    """What `fedway connectivity matrix` prints."""
    done = control.host.run(parts.ours("fedway"), "connectivity", "matrix", "--kubeconfig",
                            control.data / "admin.kubeconfig", check=False)
    return done.stdout.splitlines()

