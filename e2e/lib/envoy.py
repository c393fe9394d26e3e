# SPDX-License-Identifier: Apache-2.0
"""Stock Envoy: what its admin interface says, and Envoy as an east-west gateway, programmed by
istiod or by fedwayd."""

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


class FedwayIngress:
    """Stock Envoy as a gateway that fedwayd programs: delta ADS by the certificate of an
    EastWestGateway, in the role `ingress`. Which names it routes is what clusters it is given, so
    its listener is constant.

    `files`: paths of the chain, the key and the roots, of one directory. Another certificate that
    is moved there is taken from then on.
    """

    # no SNI name reaches a cluster with an upper-case letter in its name
    XDS = "Fedwayd"
    SECRET = "own"

    def __init__(self, host, xds_address, name, files):
        self.host = host
        self.admin = Admin(host)
        config = host.directory / "envoy.yaml"
        self.files = files
        self._write_secret(host.directory / "secret.yaml", files)
        config.write_text(yaml.safe_dump(self._bootstrap(xds_address, name, files)))
        self.daemon = host.daemon("envoy", parts.real("envoy"), "-c", config, "--concurrency", "1",
                                  "--disable-hot-restart", "-l", "warn")

    def _bootstrap(self, xds_address, name, files):
        return {
            "node": {"id": f"{name}/1", "cluster": name,
                     "metadata": {"fedway.io": {"role": "ingress", "name": name}}},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1",
                                                     "port_value": 15000}}},
            "dynamic_resources": {
                "cds_config": {"ads": {}, "resource_api_version": "V3"},
                "ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3",
                               "grpc_services": [{"envoy_grpc": {"cluster_name": self.XDS}}]},
            },
            "static_resources": {"clusters": [self._xds_cluster(xds_address, files)],
                                 "listeners": [self._listener()]},
        }

    def _write_secret(self, path, files):
        chain, key, _ = ({"filename": str(file)} for file in files)
        path.write_text(yaml.safe_dump({"resources": [{
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
            "name": self.SECRET, "tls_certificate": {
                "certificate_chain": chain, "private_key": key,
                "watched_directory": {"path": str(files[0].parent)}}}]}))

    def _xds_cluster(self, xds_address, files):
        roots = {"filename": str(files[2])}
        secret = {"path": str(self.host.directory / "secret.yaml")}
        address, port = xds_address.split(":")
        tls = "envoy.extensions.transport_sockets.tls.v3."
        http = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        return {
            "name": self.XDS, "type": "STATIC", "connect_timeout": "2s",
            "typed_extension_protocol_options": {http: {
                "@type": f"type.googleapis.com/{http}",
                "explicit_http_config": {"http2_protocol_options": {}}}},
            "transport_socket": {"name": "tls", "typed_config": {
                "@type": f"type.googleapis.com/{tls}UpstreamTlsContext",
                "common_tls_context": {
                    "tls_certificate_sds_secret_configs": [{
                        "name": self.SECRET, "sds_config": {"path_config_source": secret}}],
                    "validation_context": {
                        "trusted_ca": roots,
                        "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {
                            "exact": "spiffe://cluster.local/fedway/control-plane"}}]}}}},
            "load_assignment": {"cluster_name": self.XDS, "endpoints": [{"lb_endpoints": [
                {"endpoint": {"address": {"socket_address": {
                    "address": address, "port_value": int(port)}}}}]}]},
        }

    @staticmethod
    def _listener():
        def part(name, kind, **fields):
            return {"name": name, "typed_config": {
                "@type": f"type.googleapis.com/envoy.extensions.filters.{kind}", **fields}}

        return {
            "name": "ingress",
            "address": {"socket_address": {"address": "0.0.0.0", "port_value": 15443}},
            "listener_filters": [part("inspector", "listener.tls_inspector.v3.TlsInspector")],
            "filter_chains": [{
                "filter_chain_match": {"application_protocols": [
                    "istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1",
                    "istio-h2"]},
                "filters": [
                    part("sni", "network.sni_cluster.v3.SniCluster"),
                    part("tcp", "network.tcp_proxy.v3.TcpProxy", stat_prefix="ingress",
                         cluster="Nothing")]}],
        }

    def wait_ready(self, timeout=30.0):
        """Waits until it has its first clusters and listens."""

        def ready():
            self.daemon.check()
            return self.admin.ready() and "ingress" in self.admin.listeners()

        wait.until(ready, timeout, "stock Envoy programmed by fedwayd")
        return self

    def routed(self, sni):
        """Connections that it has passed on for this SNI name."""
        return self.admin.cluster_stat(sni, "upstream_cx_total")

    def serials(self):
        """The serial numbers of its own certificates that are in use, in hex."""
        answer = http.get(self.host, f"{self.admin.url}/certs").json()
        return {chain["serial_number"].lower() for entry in answer["certificates"]
                for chain in entry.get("cert_chain", [])}

    def warming(self):
        """The clusters that it has, but cannot use yet."""
        answer = http.get(self.host, f"{self.admin.url}/config_dump?resource="
                                     "dynamic_warming_clusters").json()
        return [entry["cluster"]["name"] for entry in answer.get("configs", [])]

    def refused_updates(self):
        """The statistics that count refused updates and are not 0: {name: number}."""
        answer = http.get(self.host, f"{self.admin.url}/stats?format=json"
                                     "&filter=update_(rejected|failure)$").json()
        return {entry["name"]: entry["value"] for entry in answer["stats"]
                if entry.get("value") and "rejected" in entry["name"]}

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
