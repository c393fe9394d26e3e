# SPDX-License-Identifier: Apache-2.0
"""Stock Envoys with static configurations: a caller's sidecar, a workload's, and a load balancer.

The sidecars speak mutual TLS with each other; `files`: chain, key and roots.
"""

import json

from lib import parts, wait
from lib.envoy import Admin

TYPES = "type.googleapis.com/envoy.extensions."
WORDS = "the page of the mesh"
PAGE_TEXT = f"<title>page</title>{WORDS}"


def _part(name, kind, **fields):
    return {"name": name, "typed_config": {"@type": TYPES + kind, **fields}}


def _address(address, port):
    return {"socket_address": {"address": address, "port_value": port}}


def _tls(side, files, alpn, **more):
    chain, key, roots = ({"filename": str(path)} for path in files)
    return _part("tls", f"transport_sockets.tls.v3.{side}TlsContext", common_tls_context={
        "alpn_protocols": [alpn],
        "tls_certificates": [{"certificate_chain": chain, "private_key": key}],
        "validation_context": {"trusted_ca": roots}}, **more)


def _http(name, **answer):
    return _part(name, "filters.network.http_connection_manager.v3.HttpConnectionManager",
                 stat_prefix=name,
                 http_filters=[_part("router", "filters.http.router.v3.Router")],
                 route_config={"virtual_hosts": [{
                     "name": name, "domains": ["*"],
                     "routes": [{"match": {"prefix": "/"}, **answer}]}]})


def _cluster(name, where, socket):
    return {"name": name, "type": "STATIC", "connect_timeout": "2s", "transport_socket": socket,
            "load_assignment": {"cluster_name": name, "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": _address(*where)}}]}]}}


def _start(host, listener, *clusters):
    config = host.directory / "envoy.json"
    config.write_text(json.dumps({
        "admin": {"address": _address("127.0.0.1", 15000)},
        "static_resources": {"listeners": [listener], "clusters": list(clusters)}}))
    daemon = host.daemon("envoy", parts.real("envoy"), "-c", config, "--concurrency", "1",
                         "--disable-hot-restart", "-l", "warn")
    admin = Admin(host)

    def ready():
        daemon.check()
        return admin.ready()

    wait.until(ready, 20, f"Envoy on {host.name}")
    return admin


def caller(host, port, gateway, name, files):
    """HTTP on loopback, to `name` behind `gateway`."""
    return _start(
        host, {"address": _address("127.0.0.1", port), "filter_chains": [
            {"filters": [_http("out", route={"cluster": "mesh"})]}]},
        _cluster("mesh", gateway, _tls("Upstream", files, "istio", sni=name)))


def workload(host, address, port, files):
    """Answers each request of a caller of the mesh with a page, and says who the caller is."""
    page = _http("in", direct_response={"status": 200, "body": {"inline_string": PAGE_TEXT}},
                 response_headers_to_add=[
                     {"header": {"key": key, "value": value}} for key, value in (
                         ("content-type", "text/html"),
                         ("x-caller", "%DOWNSTREAM_PEER_URI_SAN%"))])
    return _start(host, {"address": _address(address, port), "filter_chains": [{
        "filters": [page],
        "transport_socket": _tls("Downstream", files, "istio",
                                 require_client_certificate=True)}]})


def balancer(host, address, port, gateway):
    """Passes TCP on to the gateway, with a PROXY v2 header of Envoy's own making."""
    socket = _part("proxy", "transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
                   config={"version": "V2"}, transport_socket=_part(
                       "raw", "transport_sockets.raw_buffer.v3.RawBuffer"))
    return _start(host, {"address": _address(address, port), "filter_chains": [{"filters": [
        _part("tcp", "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix="tcp",
              cluster="gateway")]}]}, _cluster("gateway", gateway, socket))
