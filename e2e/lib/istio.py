# SPDX-License-Identifier: Apache-2.0
"""Stock istiod, and stock sidecars: pilot-agent with stock Envoy.

No container image, injector or webhook is needed. Stock Envoy lacks Istio's own filters; the
settings in ENVIRONMENT make an istiod whose every update it accepts.
"""

import json

import yaml

from lib import http, objects, parts, wait
from lib.envoy import Admin

ENVIRONMENT = {
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    # An Envoy without an agent has no SDS server and must not wait for one.
    "PILOT_FILTER_GATEWAY_CLUSTER_CONFIG": "true",
}
SYSTEM = "istio-system"
# The name in istiod's certificate.
SERVER_NAME = "istiod.istio-system.svc"
READER = "istio-reader-service-account"
READER_RULES = [
    (["networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"],
     ["*"], ["get", "list", "watch"]),
    ([""], ["endpoints", "pods", "services", "nodes", "replicationcontrollers", "namespaces",
            "secrets", "configmaps"], ["get", "list", "watch"]),
    (["discovery.k8s.io"], ["endpointslices"], ["get", "list", "watch"]),
    (["apps"], ["replicasets"], ["get", "list", "watch"]),
    (["apiextensions.k8s.io"], ["customresourcedefinitions"], ["get", "list", "watch"]),
    (["authentication.k8s.io"], ["tokenreviews"], ["create"]),
    (["authorization.k8s.io"], ["subjectaccessreviews"], ["create"]),
]


def sni(service, namespace, port):
    """The SNI name by which sidecars ask a gateway for a service."""
    return f"outbound_.{port}_._.{service}.{namespace}.svc.cluster.local"


def cluster_name(service, namespace, port):
    """The name of a sidecar's Envoy cluster for a service."""
    return f"outbound|{port}||{service}.{namespace}.svc.cluster.local"


def install_crds(cluster):
    """Creates Istio's published CRDs in a cluster and waits until it serves Gateways."""
    wanted = []
    for document in yaml.load_all(parts.share("istio-crds.yaml").read_text(), yaml.CSafeLoader):
        if document:
            wanted.append(document["metadata"]["name"])
            cluster.admin.apply(document)

    def established(crd):
        return crd and any(c["type"] == "Established" and c["status"] == "True"
                           for c in crd.get("status", {}).get("conditions", []))

    for name in wanted:
        cluster.admin.wait("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, name,
                           established)


def join_network(cluster, network):
    """Makes istio-system in a cluster, with the label that names the cluster's network."""
    cluster.admin.apply(objects.namespace(SYSTEM, {"topology.istio.io/network": network}))


def strict_mutual_tls():
    """A PeerAuthentication by which no server of the mesh takes anything but mutual TLS."""
    return {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": {"name": "default", "namespace": SYSTEM},
            "spec": {"mtls": {"mode": "STRICT"}}}


def remote_secret(cluster):
    """What `istioctl create-remote-secret` makes: a Secret by which an istiod may read `cluster`.

    The reader account and its rights are created in `cluster`.
    """
    cluster.admin.apply(
        objects.service_account(SYSTEM, READER),
        objects.cluster_role(READER, READER_RULES),
        objects.cluster_role_binding(READER, READER, SYSTEM, READER))
    kubeconfig = cluster.kubeconfig_of(cluster.token(SYSTEM, READER), user=cluster.name)
    return objects.secret(
        SYSTEM, f"istio-remote-secret-{cluster.name}",
        {cluster.name: yaml.safe_dump(kubeconfig)},
        labels={"istio/multiCluster": "true"},
        annotations={"networking.istio.io/cluster": cluster.name})


class Istiod:
    """A stock istiod on a host of its own on the wan, with `cluster` as its config cluster.

    `authority` is a pki.Identity of an intermediate CA; several istiods with intermediates of
    one root make one mesh.
    """

    def __init__(self, lab, cluster, address, authority, environment=None):
        self.address = address
        self.authority = authority
        self.host = lab.host(f"istiod-{cluster.name}", lab.wan, address)
        self._write_ca()
        self._env = {"POD_NAME": "istiod-1", "POD_NAMESPACE": SYSTEM, "CLUSTER_ID": cluster.name,
                     "REVISION": "default", **ENVIRONMENT, **(environment or {})}
        self._kubeconfig = cluster.kubeconfig("istiod.kubeconfig")
        self.daemon = None
        self.start()

    def start(self):
        """Starts it (again)."""
        self.daemon = self.host.daemon("istiod", parts.real("istiod"), "discovery",
                                       f"--kubeconfig={self._kubeconfig}", env=self._env)
        return self

    def use_authority(self, authority):
        """Another intermediate CA from its next start on."""
        self.authority = authority
        self._write_ca()

    def _write_ca(self):
        folder = self.host.directory / "etc" / "cacerts"
        folder.mkdir(parents=True, exist_ok=True)
        root = self.authority.root().pem
        for name, text in (("ca-cert.pem", self.authority.pem),
                           ("ca-key.pem", self.authority.key_pem),
                           ("cert-chain.pem", self.authority.chain + root),
                           ("root-cert.pem", root)):
            (folder / name).write_text(text)

    @property
    def root(self):
        """PEM of the mesh root."""
        return self.authority.root().pem

    def wait_ready(self, timeout=60.0):
        """Waits until it serves proxies."""

        def ready():
            self.daemon.check()
            return http.get(self.host, "http://127.0.0.1:8080/ready").status == 200

        wait.until(ready, timeout, "istiod ready")
        return self

    def clusters(self):
        """{cluster: state} as istiod sees them: `synced`, `syncing`, `timeout`."""
        answer = http.get(self.host, "http://127.0.0.1:8080/debug/clusterz").json()
        return {entry["id"]: entry["syncStatus"] for entry in answer}

    def wait_clusters(self, *names, timeout=30.0):
        """Waits until it has read these clusters."""
        wait.until(lambda: all(self.clusters().get(name) == "synced" for name in names), timeout,
                   f"istiod has read {names}")

    def rejections(self):
        """Lines of its log in which a proxy has refused an update."""
        return self.daemon.lines("ACK ERROR")


class Sidecar:
    """A workload's sidecar: pilot-agent and stock Envoy on the workload's host.

    The Pod and its ServiceAccount must exist in `cluster`, and the Pod's address must be the
    host's. `uid`: connections of this user to `outbound` ports go through the sidecar;
    `inbound`: what comes in at these ports does.
    """

    OUTBOUND_PORT = 15001
    INBOUND_PORT = 15006

    def __init__(self, host, cluster, network, istiod, pod):
        self.host = host
        self.pod = pod["metadata"]["name"]
        self.namespace = pod["metadata"]["namespace"]
        self.admin = Admin(host)
        self._write_files(cluster, istiod, pod["spec"]["serviceAccountName"])
        host.names({SERVER_NAME: istiod.address})
        env = self._environment(cluster, network, pod)
        self.daemon = host.daemon("pilot-agent", parts.real("pilot-agent"), "proxy", "sidecar",
                                  "--domain", f"{self.namespace}.svc.cluster.local", env=env)

    def _write_files(self, cluster, istiod, account):
        folder = self.host.directory
        secrets = folder / "var" / "run" / "secrets"
        (secrets / "istio").mkdir(parents=True)
        (secrets / "istio" / "root-cert.pem").write_text(istiod.root)
        (secrets / "tokens").mkdir()
        (secrets / "tokens" / "istio-token").write_text(
            cluster.token(self.namespace, account, "istio-ca", self.pod))
        for name in ("pod", "proxy"):
            (folder / "etc" / "istio" / name).mkdir(parents=True)

    def _envoy(self):
        """A program that is Envoy but also ends when the agent is killed, which only a signal
        from the kernel can do."""
        script = self.host.directory / "envoy"
        script.write_text("#!/bin/sh\n"
                          f"exec {parts.tool('setpriv')} --pdeathsig KILL "
                          f"{parts.real('envoy').resolve()} \"$@\"\n")
        script.chmod(0o755)
        return script

    def _environment(self, cluster, network, pod):
        proxy = {
            "binaryPath": str(self._envoy()),
            "discoveryAddress": f"{SERVER_NAME}:15012",
            "proxyBootstrapTemplatePath": str(parts.share("envoy_bootstrap.json")),
            "concurrency": 1,
            "proxyStatsMatcher": {"inclusionRegexps": [".*"]},
        }
        return {
            "POD_NAME": self.pod, "POD_NAMESPACE": self.namespace,
            "SERVICE_ACCOUNT": pod["spec"]["serviceAccountName"],
            "INSTANCE_IP": self.host.address, "CA_ADDR": f"{SERVER_NAME}:15012",
            "ISTIO_META_CLUSTER_ID": cluster.name, "ISTIO_META_NETWORK": network,
            "ISTIO_METAJSON_LABELS": json.dumps(pod["metadata"]["labels"]),
            "PROXY_CONFIG": json.dumps(proxy),
        }

    def capture_outbound(self, uid, *ports):
        """Sends what this user opens to these ports through the sidecar."""
        listed = ", ".join(map(str, ports))
        self.host.nft("table ip sidecar_out {\n"
                      "  chain output { type nat hook output priority -100;\n"
                      f"    meta skuid {uid} tcp dport {{ {listed} }} "
                      f"redirect to :{self.OUTBOUND_PORT}\n"
                      "  }\n"
                      "}\n")

    def capture_inbound(self, *ports):
        """Sends what comes in at these ports through the sidecar."""
        listed = ", ".join(map(str, ports))
        self.host.nft("table ip sidecar_in {\n"
                      "  chain input { type nat hook prerouting priority -100;\n"
                      f"    tcp dport {{ {listed} }} redirect to :{self.INBOUND_PORT}\n"
                      "  }\n"
                      "}\n")

    def wait_ready(self, timeout=60.0):
        """Waits until the agent says that Envoy has its configuration."""

        def ready():
            self.daemon.check()
            return http.get(self.host, "http://127.0.0.1:15020/healthz/ready").status == 200

        wait.until(ready, timeout, f"sidecar of {self.pod} ready")
        return self

    def dump(self):
        self.admin.dump(self.host.directory / "config.json")
