# SPDX-License-Identifier: Apache-2.0
"""Stock kubectl, old and new, does its daily work on the hosted API."""

import json
import re

import pytest
import yaml

from api.conftest import widget
from lib import parts

BUILT_INS = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"a": "1"}},
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sec"}, "data": {"p": "aGk="}},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa"}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"},
     "spec": {"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80},
                                                  {"name": "other", "port": 81}]}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": {"app": "x"}},
     "spec": {"containers": [{"name": "c", "image": "i"}]}},
    {"apiVersion": "v1", "kind": "Node", "metadata": {
        "name": "node", "labels": {"node-role.kubernetes.io/worker": ""}}},
    {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "ev"}, "reason": "Started",
     "type": "Normal", "message": "it has", "involvedObject": {"kind": "Pod", "name": "pod"}},
    {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "slice"},
     "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}],
     "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
    {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lease"},
     "spec": {"holderIdentity": "me"}},
]


def columns(text):
    """Rows of a table; cells are apart by two spaces or more."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.strip().splitlines()]


def test_apply_creates_configures_and_leaves_alone(kubectl):
    objects = [widget("w1"), *BUILT_INS]
    assert kubectl("apply", "-f", "-", stdin=objects).count(" created\n") == len(objects)
    assert kubectl("apply", "-f", "-", stdin=objects).count(" unchanged\n") == len(objects)
    objects[0]["spec"]["size"] = 7
    changed = json.loads(json.dumps(objects))
    changed[1]["data"] = {"b": "2"}
    changed[4]["spec"]["ports"].pop()
    said = kubectl("apply", "-f", "-", stdin=changed)
    assert said.count(" configured\n") == 3 and said.count(" unchanged\n") == len(objects) - 3
    assert json.loads(kubectl("get", "cm", "cm", "-o", "json"))["data"] == {"b": "2"}
    service = json.loads(kubectl("get", "svc", "svc", "-o", "json"))
    assert [port["port"] for port in service["spec"]["ports"]] == [80]
    assert kubectl("get", "wd", "w1", "-o", "jsonpath={.spec.size} {.spec.color}") == "7 red"


def test_get_in_every_form(kubectl):
    kubectl("apply", "-f", "-", stdin=[widget("w1", 3, labels={"a": "b"}), *BUILT_INS])
    assert columns(kubectl("get", "wd"))[0] == ["NAME", "SIZE", "AGE"]
    wide = columns(kubectl("get", "wd", "-o", "wide"))
    assert wide[0] == ["NAME", "SIZE", "COLOR", "AGE"]
    assert wide[1][:3] == ["w1", "3", "red"]
    assert kubectl("get", "wd", "-o", "name") == "widget.example.com/w1\n"
    assert kubectl("get", "wd", "-o", "jsonpath={.items[*].metadata.name}") == "w1"
    custom = kubectl("get", "wd", "-o", "custom-columns=N:.metadata.name,S:.spec.size")
    assert columns(custom) == [["N", "S"], ["w1", "3"]]
    assert yaml.safe_load(kubectl("get", "wd", "w1", "-o", "yaml"))["spec"]["size"] == 3
    assert json.loads(kubectl("get", "wd", "-o", "json"))["items"][0]["kind"] == "Widget"
    assert "default" in kubectl("get", "wd", "-A") and "a=b" in kubectl("get", "wd", "--show-labels")
    assert kubectl("get", "wd", "-l", "a!=b", "--no-headers", "-o", "name") == ""
    assert kubectl("get", "widgets.v1beta1.example.com", "w1", "-o", "jsonpath={.apiVersion}") == \
        "example.com/v1beta1"
    everything = kubectl("get", "all")
    assert "widget.example.com/w1" in everything and "service/svc" in everything


def test_built_ins_have_the_columns_people_know(kubectl):
    kubectl("apply", "-f", "-", stdin=BUILT_INS)
    rows = {
        "cm": ["cm", "1"], "secret": ["sec", "Opaque", "1"], "svc": ["svc", "ClusterIP"],
        "pod": ["pod", "0/1", "Pending", "0"], "node": ["node", "Unknown", "worker"],
        "lease": ["lease", "me"], "endpointslice": ["slice", "IPv4", "80", "10.0.0.1"],
    }
    for kind, cells in rows.items():
        assert cells in [row[:len(cells)] for row in columns(kubectl("get", kind))], kind
    assert "pod/pod" in kubectl("get", "events") and "it has" in kubectl("events")
    assert columns(kubectl("get", "ns"))[1][:2] == ["default", "Active"]
    assert "10.96." in kubectl("get", "svc", "-o", "wide")


def test_watch_shows_what_happens(kubectl):
    kubectl("apply", "-f", "-", stdin=widget("w1"))
    watch = kubectl.start("get", "wd", "-w", "--output-watch-events")
    watch.wait_line(r"ADDED\s+w1\s+1")
    kubectl("patch", "wd", "w1", "--type=merge", "-p", '{"spec":{"size":5}}')
    watch.wait_line(r"MODIFIED\s+w1\s+5")
    kubectl("delete", "wd", "w1")
    watch.wait_line(r"DELETED\s+w1\s+5")
    watch.kill()


def test_wait_for_conditions_values_and_the_end(kubectl):
    kubectl("apply", "-f", "-", stdin=widget("w1"))
    waiting = kubectl.start("wait", "--for=condition=Ready", "wd/w1", "--timeout=30s")
    kubectl("patch", "wd", "w1", "--subresource=status", "--type=merge", "-p",
            '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}')
    waiting.wait_line("condition met")
    kubectl("wait", "--for=jsonpath={.spec.size}=1", "wd/w1", "--timeout=10s")
    ending = kubectl.start("wait", "--for=delete", "wd/w1", "--timeout=30s")
    kubectl("delete", "wd", "w1")
    assert ending.wait(30) == 0
    assert "timed out" in kubectl.fails("wait", "--for=condition=Never", "cm/kube-root-ca.crt",
                                        "--timeout=1s")


def test_patch_label_annotate_replace_and_edit(kubectl):
    kubectl("apply", "-f", "-", stdin=[widget("w1"), *BUILT_INS])
    kubectl("label", "wd", "w1", "x=y")
    kubectl("annotate", "wd", "w1", "note=hello")
    kubectl("patch", "svc", "svc", "-p", '{"spec":{"ports":[{"port":80,"name":"web"}]}}')
    names = kubectl("get", "svc", "svc", "-o", "jsonpath={.spec.ports[*].name}").split()
    assert sorted(names) == ["other", "web"]
    assert "accepted media types" in kubectl.fails("patch", "wd", "w1", "-p", '{"spec":{}}')
    obj = json.loads(kubectl("get", "wd", "w1", "-o", "json"))
    assert obj["metadata"]["labels"] == {"x": "y"}
    obj["spec"]["size"] = 9
    kubectl("replace", "-f", "-", stdin=json.dumps(obj))
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-",
                                                          stdin=json.dumps(obj))
    kubectl.environment["KUBE_EDITOR"] = "sed -i s/size:.*/size:\\ 4/"
    kubectl("edit", "wd", "w1")
    assert kubectl("get", "wd", "w1", "-o", "jsonpath={.spec.size}") == "4"


def test_dry_run_and_diff_change_nothing(kubectl):
    kubectl("apply", "-f", "-", stdin=widget("w1"))
    assert "(server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-",
                                         stdin=[widget("w1", 2), widget("w2")])
    diff = kubectl.run("diff", "-f", "-", stdin=widget("w1", 2))
    assert diff.returncode == 1 and "+  size: 2" in diff.stdout
    assert kubectl("get", "wd", "-o", "jsonpath={.items[*].spec.size}") == "1"


def test_mistakes_are_explained(kubectl):
    bad = widget("w1", 0)
    assert "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1" \
        in kubectl.fails("apply", "-f", "-", stdin=bad)
    unknown = widget("w1")
    unknown["spec"]["bogus"] = 1
    assert 'unknown field "spec.bogus"' in kubectl.fails("apply", "-f", "-", stdin=unknown)
    kubectl("apply", "--validate=ignore", "-f", "-", stdin=unknown)
    warned = kubectl.run("apply", "--validate=warn", "-f", "-", stdin=dict(unknown, metadata={
        "name": "w2"}))
    assert warned.returncode == 0 and 'unknown field "spec.bogus"' in warned.stderr
    assert "not found" in kubectl.fails("get", "wd", "nope")
    assert "already exists" in kubectl.fails("create", "-f", "-", stdin=widget("w1"))
    assert "the server doesn't have a resource type" in kubectl.fails("get", "nonsense")


def test_protobuf_bodies_are_refused_clearly(kubectl):
    """These commands of kubectl 1.32 and later know no other form."""
    said = kubectl.fails("create", "namespace", "shop")
    assert "UnsupportedMediaType" in said and "application/json" in said


def test_finalizers_and_namespaces(kubectl):
    kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "Namespace",
                                       "metadata": {"name": "shop"}})
    held = widget("w1", finalizers=["example.com/hold"])
    held["metadata"]["namespace"] = "shop"
    kubectl("apply", "-f", "-", stdin=held)
    kubectl("delete", "ns", "shop", "--wait=false")
    assert kubectl("get", "ns", "shop", "-o", "jsonpath={.status.phase}") == "Terminating"
    late = widget("late")
    late["metadata"]["namespace"] = "shop"
    assert "because it is being terminated" in kubectl.fails("apply", "-f", "-", stdin=late)
    going = kubectl.start("wait", "--for=delete", "ns/shop", "--timeout=30s")
    kubectl("patch", "wd", "w1", "-n", "shop", "--type=merge", "-p",
            '{"metadata":{"finalizers":null}}')
    assert going.wait(30) == 0


def test_delete_by_label_all_and_definition(kubectl):
    kubectl("apply", "-f", "-", stdin=[widget("w1", labels={"a": "b"}), widget("w2"),
                                       widget("w3")])
    kubectl("delete", "wd", "-l", "a=b")
    assert kubectl("get", "wd", "-o", "name").split() == ["widget.example.com/w2",
                                                          "widget.example.com/w3"]
    kubectl("delete", "wd", "w2", "--grace-period=0", "--force")
    kubectl("delete", "wd", "--all")
    kubectl("apply", "-f", "-", stdin=widget("w4"))
    kubectl("delete", "crd", "widgets.example.com")
    assert "could not find the requested resource" in kubectl.fails("get", "wd")


def test_discovery_explain_and_version(kubectl):
    resources = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    assert {"widgets.example.com", "pods", "leases.coordination.k8s.io"} <= set(resources)
    assert "tokenreviews.authentication.k8s.io" not in resources
    assert "how large it is" in kubectl("explain", "widget.spec.size")
    assert "v1.34" in kubectl("version")
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "w1" in kubectl("describe", "-f", "-", stdin=json.dumps(
        json.loads(kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(widget("w1"))))))


def test_our_own_kinds_are_served(kubectl):
    crds = sorted((parts.ROOT / "model" / "crds").glob("*.yaml"))
    for crd in crds:
        kubectl("apply", "-f", str(crd))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=10s")
    kubectl("apply", "-f", "-", stdin=[
        {"apiVersion": "fedway.io/v1alpha1", "kind": "NetworkGroup",
         "metadata": {"name": "network-c1"}, "spec": {"interconnect": {"joined": True}}},
        {"apiVersion": "fedway.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "c1"},
         "spec": {"networkGroup": "network-c1",
                  "kubeconfigSecretRef": {"namespace": "fedway-system", "name": "c1"}}}])
    assert "c1" in kubectl("get", "clusters.fedway.io")
    assert kubectl.fails("apply", "-f", "-", stdin={
        "apiVersion": "fedway.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "Not.A.Label"},
        "spec": {"networkGroup": "network-c1"}})


@pytest.mark.parametrize("path,status", [
    ("/version", 200), ("/livez", 200), ("/api", 403), ("/api/v1/secrets", 403)])
def test_nobody_may_see_health_alone(server, path, status):
    assert server.request("GET", path, token="")[0] == status
    assert server.request("GET", path, token="wrong")[0] == 401
