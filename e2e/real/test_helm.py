# SPDX-License-Identifier: Apache-2.0
"""The chart of the gateway: it lints, refuses typos, and a real API server takes what it renders."""

import subprocess

import pytest
import yaml

from lib import kube, objects, parts
from lib.process import Daemon

CHART = parts.ROOT / "helm" / "fedway-gateway"
VALUES = ["--set", "cluster=west-1", "--set", "controlPlane.address=fedwayd.example.com:15012"]
# instead of these: the mesh's own istiod as control plane
ISTIOD = ["--set", "controlPlane.type=istiod,controlPlane.address=,cluster=Kubernetes",
          "--set", "istiod.network=n2"]


@pytest.fixture(scope="module")
def cluster(lab):
    etcd = kube.Etcd(lab, "172.30.0.2")
    c1 = kube.Cluster(lab, etcd, "c1", "172.30.0.11").wait_ready()
    c1.admin.apply(objects.namespace("fedway-system"))
    return c1


def helm(*args, check=True):
    done = subprocess.run([parts.real("helm"), *map(str, args)], capture_output=True, text=True)
    if check and done.returncode != 0:
        pytest.fail(f"helm {' '.join(map(str, args))}\n{done.stdout}{done.stderr}")
    return done


def render(*values):
    text = helm("template", "gw-west-1", CHART, "-n", "fedway-system", *VALUES, *values).stdout
    return [doc for doc in yaml.safe_load_all(text) if doc]


def by_kind(docs, kind):
    return next(doc for doc in docs if doc["kind"] == kind)


@pytest.mark.parametrize("values", [[], ISTIOD], ids=["fedwayd", "istiod"])
def test_the_chart_lints_without_a_warning(values):
    done = helm("lint", "--strict", CHART, *VALUES, *values)
    assert "WARNING" not in done.stdout


@pytest.mark.parametrize("wrong, says", [
    (["--set", "replica=3"], "replica"),
    (["--set", "service.type=LoadBalanser"], "service"),
    (["--set", "egress.enabled=true"], "allow"),
    (["--set", "image.tag=latest"], "tag"),
    (["--set", "cluster="], "cluster is required"),
    (["--set", "controlPlane.address="], "controlPlane.address is required"),
    (["--set", "controlPlane.type=consul"], "type"),
    (["--set", "ipFamilies={IPv5}"], "ipFamilies"),
    (["--set", "ipFamilies={IPv4,IPv4}"], "ipFamilies"),
    (["--set", "drain.delay=-1"], "drain"),
    (["--set-json", 'accessLog={"sample": 2}'], "accessLog"),
    (["--set", "cluster=Kubernetes"], "cluster"),
    ([*ISTIOD, "--set", "istiod.network="], "istiod.network is required"),
])
def test_a_wrong_value_is_refused_and_named(wrong, says):
    done = helm("template", "gw", CHART, *VALUES, *wrong, check=False)
    assert done.returncode != 0
    assert says in done.stderr


def test_the_gateway_runs_without_any_privilege():
    pod = by_kind(render(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    container = pod["containers"][0]["securityContext"]
    assert container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                         "capabilities": {"drop": ["ALL"]}}


def pod_of(*values):
    deployment = by_kind(render(*values), "Deployment")["spec"]
    return deployment, deployment["template"]["spec"]


def test_a_new_replica_is_ready_before_an_old_one_goes():
    deployment, pod = pod_of()
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert deployment["minReadySeconds"] == 5
    probe = pod["containers"][0]["readinessProbe"]
    assert probe["httpGet"] == {"path": "/healthz/ready", "port": "health"}
    budget = by_kind(render(), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]


@pytest.mark.parametrize("delay, timeout", [(5, 60), (0, 0), (30, 3600)])
def test_a_replica_is_killed_only_after_its_drain(delay, timeout):
    _, pod = pod_of("--set", f"drain.delay={delay},drain.timeout={timeout}")
    container = pod["containers"][0]
    assert {f"--drain-delay={delay}s", f"--drain-timeout={timeout}s"} <= set(container["args"])
    assert pod["terminationGracePeriodSeconds"] > max(delay, timeout)
    assert "lifecycle" not in container  # no shell is in the image, and the gateway does it itself


def test_replicas_are_spread_over_nodes_and_zones_unless_said_otherwise():
    deployment, pod = pod_of()
    spread = pod["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname",
                                                      "topology.kubernetes.io/zone"]
    assert all(one["whenUnsatisfiable"] == "ScheduleAnyway"
               and one["labelSelector"] == deployment["selector"] for one in spread)
    _, pod = pod_of("--set-json", 'topologySpreadConstraints=[{"maxSkew": 2, "topologyKey": "rack", '
                                  '"whenUnsatisfiable": "DoNotSchedule"}]')
    assert [one["topologyKey"] for one in pod["topologySpreadConstraints"]] == ["rack"]


@pytest.mark.parametrize("families, addresses, policy", [
    ("IPv4", ["0.0.0.0"], "SingleStack"),
    ("IPv6", ["::"], "SingleStack"),
    ("IPv6,IPv4", ["::", "0.0.0.0"], "RequireDualStack"),
])
def test_it_listens_on_the_families_that_are_wished(families, addresses, policy):
    docs = render("--set", f"ipFamilies={{{families}}}")
    config = yaml.safe_load(by_kind(docs, "ConfigMap")["data"]["gateway.yaml"])
    assert [one["address"] for one in config["listeners"]] == addresses
    assert len({one["name"] for one in config["listeners"]}) == len(addresses)
    assert config["health"]["address"] == config["metrics"]["address"] == addresses[0]
    service = by_kind(docs, "Service")["spec"]
    assert (service["ipFamilies"], service["ipFamilyPolicy"]) == (families.split(","), policy)


def test_the_gateway_itself_takes_the_configuration(tmp_path):
    config = yaml.safe_load(by_kind(render("--set", "ipFamilies={IPv4,IPv6}"), "ConfigMap")
                            ["data"]["gateway.yaml"])
    config["dataDir"] = str(tmp_path / "data")
    config["admin"]["path"] = str(tmp_path / "admin.sock")
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(config))
    _, pod = pod_of("--set", "sandbox=false")
    words = [word for word in pod["containers"][0]["args"] if not word.startswith("--config")]
    assert "--no-sandbox" in words
    gateway = Daemon("fedway-gateway", [parts.tool("unshare"), "--net", parts.ours("fedway-gateway"),
                                        f"--config={tmp_path}/gateway.yaml", *words], tmp_path)
    try:
        gateway.wait_line("no disk copy of the mesh, waiting for the control plane")
    finally:
        gateway.stop()


def test_the_configuration_names_cluster_and_gateway():
    config = yaml.safe_load(by_kind(render(), "ConfigMap")["data"]["gateway.yaml"])
    assert config["kind"] == "GatewayConfig"
    assert config["controlPlane"]["cluster"] == "west-1"
    assert config["controlPlane"]["name"] == "gw-west-1"


def test_with_an_istiod_its_root_its_token_and_its_selector_are_in_place():
    docs = render(*ISTIOD)
    config = yaml.safe_load(by_kind(docs, "ConfigMap")["data"]["gateway.yaml"])
    plane = config["controlPlane"]
    assert (plane["type"], plane["address"]) == ("istiod", "istiod.istio-system.svc:15012")
    assert config["network"] == "n2"
    template = by_kind(docs, "Deployment")["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert plane["istiod"]["labels"].items() <= labels.items()
    assert labels["topology.istio.io/network"] == "n2"
    assert plane["istiod"]["serviceAccount"] == template["spec"]["serviceAccountName"]
    by_kind(docs, "ServiceAccount")
    assert by_kind(docs, "Service")["metadata"]["labels"]["topology.istio.io/network"] == "n2"
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert volumes["trust"]["configMap"]["name"] == "istio-ca-root-cert"
    token = volumes["token"]["projected"]["sources"][0]["serviceAccountToken"]
    assert (token["audience"], token["path"]) == ("istio-ca", plane["tokenFile"].split("/")[-1])


@pytest.mark.parametrize("values", [
    [],
    ISTIOD,
    [*ISTIOD, "--set", "service.create=false,istiod.labels.app=istio-eastwestgateway"],
    ["--set", "replicas=1,service.type=NodePort"],
    ["--set", "sandbox=false,drain.timeout=3600"],
    ["--set", "egress.enabled=true,egress.allow={10.0.0.0/16}", "--set", "serviceAccount.create=true"],
])
def test_a_real_api_server_takes_every_object(cluster, values):
    for doc in render(*values):
        cluster.admin.apply(doc)
