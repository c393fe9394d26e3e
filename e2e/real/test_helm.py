# SPDX-License-Identifier: Apache-2.0
"""The chart of the gateway: it lints, refuses typos, and a real API server takes what it renders."""

import subprocess

import pytest
import yaml

from lib import kube, objects, parts

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
    ["--set", "egress.enabled=true,egress.allow={10.0.0.0/16}", "--set", "serviceAccount.create=true"],
])
def test_a_real_api_server_takes_every_object(cluster, values):
    for doc in render(*values):
        cluster.admin.apply(doc)
