# SPDX-License-Identifier: Apache-2.0
"""Our control plane, fedwayd, with its embedded hosted API; also in the role of a member."""

import json

from lib import http, kube, parts, wait
from lib.envoy import parse_metrics

API, XDS, METRICS = 6443, 15012, 15080


class Fedwayd:
    """fedwayd on a host of the lab, reached under the host's address. Its data directory and
    its ports are the same after `start`ing it again."""

    def __init__(self, host, role="control-plane", options=()):
        self.host = host
        self.address = host.address
        self.data = host.directory / "data"
        self.role = role
        self.options = options
        self.daemon = None
        self.admin = None
        self.start()

    @property
    def xds_address(self):
        return f"{self.address}:{XDS}"

    def start(self):
        """Starts it (again) and waits until its API answers."""
        self.daemon = self.host.daemon(
            "fedwayd", parts.ours("fedwayd"), "--data-dir", self.data, "--role", self.role,
            "--api-listen", f"{self.address}:{API}",
            "--xds-listen", f"{self.address}:{XDS}", "--xds-advertise", self.xds_address,
            "--metrics-listen", f"127.0.0.1:{METRICS}", *self.options)
        self.daemon.wait_line(r"listening address=")
        self.connect()
        return self

    def connect(self):
        """Makes `admin` anew, from what the data directory holds."""
        authority = (self.data / "pki" / "serving-ca.crt").read_text()
        token = (self.data / "admin.token").read_text().strip()
        self.admin = kube.Client(self.host, self.address, API, authority, token)

    def wait_ready(self, timeout=30.0):
        """Waits until it has its first mesh (as a member: until its API answers)."""
        path = "/healthz" if self.role == "member" else "/readyz"

        def ready():
            self.daemon.check()
            return http.get(self.host, f"http://127.0.0.1:{METRICS}{path}").status == 200

        wait.until(ready, timeout, "fedwayd ready")
        return self

    def kill(self):
        self.daemon.kill()

    def kubectl(self, *words, version="1.37", stdin=None, check=True):
        """A real kubectl with admin.kubeconfig, on fedwayd's own host; the result with stdout
        and stderr. `stdin`: text, an object, or a list of objects."""
        if isinstance(stdin, dict):
            stdin = [stdin]
        if isinstance(stdin, list):
            stdin = json.dumps({"apiVersion": "v1", "kind": "List", "items": stdin})
        return self.host.run(parts.real(f"kubectl-{version}"),
                             f"--kubeconfig={self.data}/admin.kubeconfig",
                             f"--cache-dir={self.host.directory}/kubectl-cache", *words,
                             input=stdin, check=check)

    def apply(self, *objects):
        """kubectl apply of plain dicts, all at once; returns what it said."""
        return self.kubectl("apply", "-f", "-", stdin=list(objects)).stdout

    def get(self, kind, name, namespace=None):
        """One of our objects."""
        return self.admin.get("fedway.io/v1alpha1", kind, namespace, name)

    def wait(self, kind, name, test, timeout=20.0, namespace=None):
        """Watches one of our objects until test(object) is true; None when it is gone."""
        return self.admin.wait("fedway.io/v1alpha1", kind, namespace, name, test, timeout)

    def metrics(self):
        """All series: [(name, {label: value}, number)]."""
        return parse_metrics(http.get(self.host, f"http://127.0.0.1:{METRICS}/metrics").text)

    def total(self, name, **labels):
        """Sum of the series of this name that carry these labels."""
        return sum(number for found, carried, number in self.metrics()
                   if found == name and labels.items() <= carried.items())


# --- beside an API server of the user's ----------------------------------------------------------

# What fedwayd must be allowed to do there, as rules of a ClusterRole.
RIGHTS = [
    (["apiextensions.k8s.io"], ["customresourcedefinitions"], ["get", "create", "patch"]),
    (["fedway.io"], ["*"], ["*"]),
    (["networking.istio.io"], ["destinationrules"], ["get", "list", "watch"]),
    (["networking.istio.io"], ["destinationrules/status"], ["patch"]),
    ([""], ["secrets"], ["get", "list", "watch"]),
    ([""], ["namespaces"], ["create"]),
]
# ... and what else to answer what the CLI asks.
ANSWER_RIGHTS = [
    ([""], ["configmaps"], ["get", "create", "patch"]),
    (["authentication.k8s.io"], ["tokenreviews"], ["create"]),
    (["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
]


# --- our objects ---------------------------------------------------------------------------------

def _object(kind, name, spec, annotations=None):
    meta = {"name": name}
    if annotations:
        meta["annotations"] = annotations
    return {"apiVersion": "fedway.io/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def cluster(name, group, secret=None, locality=None, annotations=None, namespace="default"):
    """A Cluster; its kubeconfig is in Secret `secret` (default: the Cluster's name)."""
    spec = {"kubeconfigSecretRef": {"namespace": namespace, "name": secret or name},
            "networkGroup": group}
    if locality:
        region, zone, subzone = locality.split("/")
        spec["locality"] = {"region": region, "zone": zone, "subzone": subzone}
    return _object("Cluster", name, spec, annotations)


def group(name, joined=True, **interconnect):
    return _object("NetworkGroup", name, {"interconnect": {"joined": joined, **interconnect}})


def gateway(name, of_cluster, address, port=15443):
    return _object("EastWestGateway", name,
                   {"cluster": of_cluster, "addresses": [{"address": address, "port": port}]})


# --- what their status says ----------------------------------------------------------------------

def condition(obj, kind):
    """The condition of this type, {} if there is none."""
    found = [c for c in ((obj or {}).get("status") or {}).get("conditions", [])
             if c["type"] == kind]
    return found[0] if found else {}


def is_true(obj, kind):
    return condition(obj, kind).get("status") == "True"


def phase(obj):
    return ((obj or {}).get("status") or {}).get("phase")


def counts(service):
    """{cluster: (ready, total)} of a MeshService."""
    clusters = ((service or {}).get("status") or {}).get("clusters", [])
    return {c["cluster"]: (c["ready"], c["total"]) for c in clusters}
