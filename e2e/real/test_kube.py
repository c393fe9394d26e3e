# SPDX-License-Identifier: Apache-2.0
"""Real kube-apiservers as the harness starts them: what other tests may rely on."""

import pytest

from lib import kube, objects


@pytest.fixture(scope="module")
def clusters(lab):
    """Two real API servers behind one etcd; c1 with its controllers. Token `guest` is a user
    without rights."""
    etcd = kube.Etcd(lab, "172.30.0.2")
    c1 = kube.Cluster(lab, etcd, "c1", "172.30.0.11", users={"guest": ("guest", "visitors")})
    c2 = kube.Cluster(lab, etcd, "c2", "172.30.0.12")
    c1.wait_ready().start_controllers()
    c2.wait_ready()
    c1.admin.apply(objects.namespace("shop"))
    return c1, c2


def test_clusters_share_nothing(clusters):
    c1, c2 = clusters
    assert "shop" not in [ns["metadata"]["name"] for ns in c2.admin.list("v1", "Namespace")]
    uids = [c.admin.wait("v1", "Namespace", None, "kube-system", bool)["metadata"]["uid"]
            for c in clusters]
    assert uids[0] != uids[1]


def test_a_user_has_the_rights_that_a_role_gives(clusters):
    c1, _ = clusters
    guest = c1.client("guest")
    with pytest.raises(kube.ApiError, match="403 .*guest"):
        guest.list("v1", "Service", "shop")
    with pytest.raises(kube.ApiError, match="401"):
        c1.client("nobody").list("v1", "Service", "shop")


def test_a_token_of_a_service_account_speaks_for_it(clusters):
    c1, _ = clusters
    c1.admin.apply(
        objects.service_account("shop", "reader"),
        objects.cluster_role("readers", [([""], ["services"], ["list"])]),
        objects.cluster_role_binding("readers", "readers", "shop", "reader"))
    assert c1.client(c1.token("shop", "reader")).list("v1", "Service", "shop") == []
    review = c1.admin.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": c1.token("shop", "reader", "fedway"), "audiences": ["fedway"]}})
    assert review["status"]["audiences"] == ["fedway"]
    assert review["status"]["user"]["username"] == "system:serviceaccount:shop:reader"


def test_controllers_make_endpoint_slices_of_pods(clusters):
    c1, _ = clusters
    c1.admin.apply(objects.node("node-1", "region1", "zone1"),
                   objects.service("shop", "web", [objects.port(80)], selector={"app": "web"}),
                   objects.pod("shop", "web-1", "10.1.0.7", {"app": "web"}, node_name="node-1"))
    events = c1.admin.watch("discovery.k8s.io/v1", "EndpointSlice", "shop")
    endpoint = next(obj["endpoints"][0] for _, obj in events if obj["endpoints"])
    assert endpoint["addresses"] == ["10.1.0.7"]
    assert (endpoint["nodeName"], endpoint["zone"]) == ("node-1", "zone1")


@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_kubectl_works(clusters, version):
    _, c2 = clusters
    c2.kubectl("create", "namespace", f"v{version.replace('.', '-')}", version=version)
    listed = c2.kubectl("get", "namespaces", "-o", "name", version=version).stdout
    assert f"namespace/v{version.replace('.', '-')}\n" in listed


def test_an_api_server_that_was_killed_comes_back_with_its_objects(clusters):
    _, c2 = clusters
    c2.admin.apply(objects.config_map("default", "kept", {"key": "value"}))
    c2.daemon.kill()
    with pytest.raises(OSError):
        c2.admin.get("v1", "ConfigMap", "default", "kept")
    c2.start()
    c2.wait_ready()
    assert c2.admin.get("v1", "ConfigMap", "default", "kept")["data"] == {"key": "value"}
