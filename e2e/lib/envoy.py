# SPDX-License-Identifier: Apache-2.0
"""Stock Envoy: what its admin interface says, and Envoy as an Istio east-west gateway."""

import json

import yaml

from lib import http, parts, wait

ADMIN = "http://127.0.0.1:15000"


class Admin:
    """The admin interface of an Envoy that runs on `host`."""

    def __init__(self, host, url=ADMIN):
        self.host = host
        self.url = url

    def stat(self, name):
        """A counter or gauge by its full name; 0 if there is none."""
        answer = http.get(self.host, f"{self.url}/stats?format=json")
        for entry in answer.json()["stats"]:
            if entry.get("name") == name:
                return entry["value"]
        return 0

    def cluster_stat(self, cluster, counter):
        """A counter of a cluster; istiod's clusters have a `;` behind the name in statistics."""
        return max(self.stat(f"cluster.{cluster};.{counter}"),
                   self.stat(f"cluster.{cluster}.{counter}"))

    def endpoints(self, cluster):
        """The addresses ("IP:PORT") that a cluster balances over now."""
        answer = http.get(self.host, f"{self.url}/clusters?format=json")
        found = set()
        for status in answer.json().get("cluster_statuses", []):
            if status["name"] == cluster:
                for entry in status.get("host_statuses", []):
                    address = entry["address"]["socket_address"]
                    found.add(f"{address['address']}:{address['port_value']}")
        return found

    def wait_endpoints(self, cluster, wanted, timeout=20.0):
        """Waits until a cluster balances over exactly these addresses."""
        wait.until(lambda: self.endpoints(cluster) == set(wanted), timeout,
                   f"{self.host.name}: {cluster} over {sorted(wanted)}, "
                   f"has {sorted(self.endpoints(cluster))}")

    def ready(self):
        return http.get(self.host, f"{self.url}/ready").text.strip() == "LIVE"

    def listeners(self):
        """Names of the listeners in force."""
        answer = http.get(self.host, f"{self.url}/listeners?format=json")
        return {entry["name"] for entry in answer.json().get("listener_statuses", [])}

    def dump(self, path):
        """Writes the whole configuration and the statistics into files, for a failure."""
        path.write_text(http.get(self.host, f"{self.url}/config_dump?include_eds").text)
        path.with_suffix(".stats").write_text(http.get(self.host, f"{self.url}/stats").text)


class StockGateway:
    """Stock Envoy as an AUTO_PASSTHROUGH gateway: delta ADS from an istiod, no agent.

    The istiod must run with PILOT_FILTER_GATEWAY_CLUSTER_CONFIG=true, and a Gateway object
    must select `labels`. See class Istiod.
    """

    def __init__(self, host, istiod_address, cluster_id, network, labels, inner_address):
        self.host = host
        self.admin = Admin(host)
        config = host.directory / "envoy.yaml"
        config.write_text(yaml.safe_dump(self._bootstrap(
            istiod_address, cluster_id, network, labels, inner_address)))
        self.daemon = host.daemon("envoy", parts.real("envoy"), "-c", config, "--concurrency", "1",
                                  "--disable-hot-restart", "-l", "warn")

    @staticmethod
    def _bootstrap(istiod_address, cluster_id, network, labels, inner_address):
        namespace = "istio-system"
        return {
            "node": {
                "id": f"router~{inner_address}~gateway-1.{namespace}~"
                      f"{namespace}.svc.cluster.local",
                "cluster": "gateway",
                "metadata": {"CLUSTER_ID": cluster_id, "NETWORK": network,
                             "REQUESTED_NETWORK_VIEW": network, "NAMESPACE": namespace,
                             "ISTIO_VERSION": "1.31.0", "LABELS": labels},
            },
            "admin": {"address": {"socket_address": {"address": "127.0.0.1",
                                                     "port_value": 15000}}},
            "dynamic_resources": {
                "lds_config": {"ads": {}, "resource_api_version": "V3"},
                "cds_config": {"ads": {}, "resource_api_version": "V3"},
                "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
                               "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}]},
            },
            "static_resources": {"clusters": [{
                "name": "istiod", "type": "STATIC", "connect_timeout": "2s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3."
                                 "HttpProtocolOptions",
                        "explicit_http_config": {"http2_protocol_options": {}}}},
                "load_assignment": {"cluster_name": "istiod", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": {"socket_address": {
                        "address": istiod_address, "port_value": 15010}}}}]}]},
            }]},
        }

    def wait_ready(self, timeout=30.0):
        """Waits until it listens on 15443."""

        def listening():
            self.daemon.check()
            return self.admin.ready() and "0.0.0.0_15443" in self.admin.listeners()

        wait.until(listening, timeout, "stock gateway listening on 15443")
        return self

    def connections(self):
        """Connections that it has accepted on 15443."""
        return self.admin.stat("listener.0.0.0.0_15443.downstream_cx_total")

    def routed(self, sni):
        """Connections that it has passed on for this SNI name."""
        return self.admin.cluster_stat(sni, "upstream_cx_total")

    def refused(self):
        """Connections that it has turned away at the hello."""
        return self.admin.stat("listener.0.0.0.0_15443.no_filter_chain_match")

    def dump(self):
        self.admin.dump(self.host.directory / "config.json")


def parse_metrics(text):
    """Prometheus text -> [(name, {label: value}, number)]."""
    found = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, number = line.rpartition(" ")
        name, _, rest = head.partition("{")
        labels = {}
        rest = rest.rstrip("}")
        while rest:
            key, _, rest = rest.partition('="')
            value, rest = _quoted(rest)
            labels[key.strip(", ")] = value
        found.append((name, labels, float(number)))
    return found


def _quoted(text):
    """The label value at the start of `text`, unescaped, and what follows its closing quote."""
    value, escaped = "", False
    for index, letter in enumerate(text):
        if escaped:
            value += {"n": "\n"}.get(letter, letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            return value, text[index + 1:]
        else:
            value += letter
    raise ValueError(f"label value without an end: {json.dumps(text)}")
