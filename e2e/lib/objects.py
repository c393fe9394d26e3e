# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects as plain dicts. Every function is pure."""

import base64


def _meta(name, namespace=None, labels=None, annotations=None):
    meta = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = labels
    if annotations:
        meta["annotations"] = annotations
    return meta


def namespace(name, labels=None):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": _meta(name, labels=labels)}


def service_account(ns, name):
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name, ns)}


def port(number, name="http", target=None, protocol="TCP"):
    """A port of a Service. Its name tells Istio the protocol."""
    return {"name": name, "port": number, "targetPort": target or number, "protocol": protocol}


def service(ns, name, ports, selector=None, labels=None, **spec):
    """`spec`: further fields, such as type="LoadBalancer" or clusterIP="None"."""
    spec["ports"] = ports
    if selector:
        spec["selector"] = selector
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(name, ns, labels),
            "spec": spec}


def load_balancer(ns, name, ports, address, labels=None):
    """A Service of type LoadBalancer that has got this address."""
    made = service(ns, name, ports, labels=labels, type="LoadBalancer")
    made["status"] = {"loadBalancer": {"ingress": [{"ip": address}]}}
    return made


def endpoint(address, ready=True, pod=None, node=None, zone=None):
    """One endpoint of a slice; `pod` is (namespace, name)."""
    made = {"addresses": [address],
            "conditions": {"ready": ready, "serving": ready, "terminating": False}}
    if pod:
        made["targetRef"] = {"kind": "Pod", "namespace": pod[0], "name": pod[1]}
    if node:
        made["nodeName"] = node
    if zone:
        made["zone"] = zone
    return made


def endpoint_slice(ns, service_name, ports, endpoints, name=None):
    """`ports` is {name: number}: the ports of the pods, by the names of the Service's ports."""
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": _meta(name or f"{service_name}-1", ns,
                              {"kubernetes.io/service-name": service_name}),
            "addressType": "IPv4",
            "ports": [{"name": key, "port": number, "protocol": "TCP"}
                      for key, number in ports.items()],
            "endpoints": endpoints}


def node(name, region=None, zone=None, subzone=None):
    """A Node with its locality."""
    labels = {"kubernetes.io/hostname": name}
    if region:
        labels["topology.kubernetes.io/region"] = region
    if zone:
        labels["topology.kubernetes.io/zone"] = zone
    if subzone:
        labels["topology.istio.io/subzone"] = subzone
    return {"apiVersion": "v1", "kind": "Node", "metadata": _meta(name, labels=labels)}


def pod(ns, name, address, labels=None, account="default", node_name=None, ready=True):
    """A Pod that a kubelet has started: with an address and its conditions. It carries the
    label by which Istio knows that it speaks mutual TLS."""
    all_labels = {"security.istio.io/tlsMode": "istio"}
    all_labels.update(labels or {})
    state = "True" if ready else "False"
    spec = {"serviceAccountName": account, "containers": [{"name": "main", "image": "none"}]}
    if node_name:
        spec["nodeName"] = node_name
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _meta(name, ns, all_labels),
            "spec": spec,
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                       "conditions": [{"type": kind, "status": state}
                                      for kind in ("Ready", "ContainersReady")]}}


def config_map(ns, name, data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name, ns), "data": data}


def secret(ns, name, data, labels=None, annotations=None):
    """`data` values are text; they are encoded here."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret",
            "metadata": _meta(name, ns, labels, annotations), "data": encoded}


def cluster_role(name, rules):
    """`rules` is a list of (groups, resources, verbs), each a list."""
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": _meta(name),
            "rules": [{"apiGroups": groups, "resources": resources, "verbs": verbs}
                      for groups, resources, verbs in rules]}


def user_rights(user, rules):
    """A ClusterRole with these rules, of this user's own."""
    return [cluster_role(user, rules),
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
             "metadata": _meta(user),
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                         "name": user},
             "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                           "name": user}]}]


def cluster_role_binding(name, role, ns, account):
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": _meta(name),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": role},
            "subjects": [{"kind": "ServiceAccount", "namespace": ns, "name": account}]}


def passthrough_gateway(ns, name, hosts, selector, number=15443):
    """Istio's Gateway that exposes services of these hosts to other networks."""
    return {"apiVersion": "networking.istio.io/v1", "kind": "Gateway",
            "metadata": _meta(name, ns),
            "spec": {"selector": selector, "servers": [
                {"port": {"number": number, "name": "tls", "protocol": "TLS"},
                 "tls": {"mode": "AUTO_PASSTHROUGH"}, "hosts": hosts}]}}
