# SPDX-License-Identifier: Apache-2.0
"""Our own gateway, fedway-gateway, with a configuration file."""

import signal

import yaml

from lib import http, parts, wait
from lib.envoy import parse_metrics

INGRESS = {"name": "ingress", "mode": "ingress", "address": "0.0.0.0", "port": 15443}


class _Plain(yaml.SafeDumper):
    """Writes equal parts out each time: a GatewayConfig may have no YAML anchors."""

    def ignore_aliases(self, data):
        return True


class FedwayGateway:
    """fedway-gateway on a host of the lab. `config`: the fields of a GatewayConfig beside its
    apiVersion and kind; workers, listeners, health, metrics and admin have defaults here."""

    HEALTH = 15021
    METRICS = 15090

    def __init__(self, host, **config):
        self.host = host
        self.file = host.directory / "gateway.yaml"
        self.daemon = None
        self._config = None
        self.write(**config)
        self.start()

    def start(self):
        """Starts it (again) with the file as it is."""
        self.daemon = self.host.daemon("fedway-gateway", parts.ours("fedway-gateway"),
                                       "--config", self.file)

    def configure(self, **config):
        """Writes the file anew and waits until the gateway has taken it; the same again is
        nothing to wait for."""
        if config != self._config:
            self._rewrite("applied", config)

    def misconfigure(self, **config):
        """Writes a file that is wrong and waits until the gateway has refused it."""
        self._rewrite("rejected", config)

    def _rewrite(self, result, config):
        def seen():
            return self.total("fedway_gateway_config_reloads_total", result=result)

        before = seen()
        self.write(**config)
        wait.until(lambda: seen() > before, 10, f"{self.host.name}: file {result}")

    def write(self, **config):
        """Writes the file anew, in one step: the gateway sees it or is told by `reload`."""
        whole = {
            "apiVersion": "fedway.io/v1alpha1", "kind": "GatewayConfig", "workers": 1,
            "listeners": [INGRESS],
            "dataDir": str(self.host.directory / "data"),
            "metrics": {"address": "127.0.0.1", "port": self.METRICS},
            "health": {"address": "127.0.0.1", "port": self.HEALTH},
            **config,
        }
        (self.host.directory / "data").mkdir(exist_ok=True)
        beside = self.file.with_suffix(".new")
        beside.write_text(yaml.dump(whole, Dumper=_Plain, sort_keys=False))
        beside.rename(self.file)
        self._config = config

    def reload(self):
        """Tells it by SIGHUP to read its file."""
        self.daemon.signal(signal.SIGHUP)

    def wait_ready(self, timeout=20.0):
        """Waits until its health door says ready."""

        def ready():
            self.daemon.check()
            return self.health() == 200

        wait.until(ready, timeout, "fedway-gateway ready")
        return self

    def health(self):
        """The HTTP status of /healthz/ready."""
        return http.get(self.host, f"http://127.0.0.1:{self.HEALTH}/healthz/ready").status

    def metrics(self):
        """All series: [(name, {label: value}, number)]."""
        return parse_metrics(http.get(self.host, f"http://127.0.0.1:{self.METRICS}/metrics").text)

    def total(self, name, **labels):
        """Sum of the series of this name that carry these labels."""
        return sum(number for found, carried, number in self.metrics()
                   if found == name and labels.items() <= carried.items())

    def routed(self, sni):
        """Connections that it has passed on for this SNI name."""
        service = sni.split("_.", 3)[3]
        return self.total("istio_tcp_connections_opened_total", destination_service=service)

    def refused(self):
        """Connections that it has ended with an error of whatever reason."""
        return self.total("fedway_gateway_closed_connections_total", error="true")

    def dump(self):
        (self.host.directory / "metrics.txt").write_text(
            http.get(self.host, f"http://127.0.0.1:{self.METRICS}/metrics").text)


def control_plane(host, member, name):
    """The controlPlane of a GatewayConfig, for gateway `name` of a kube.Cluster that has joined
    under its own name. Written on `host`: trust bundle, and a token of the gateway's account, as
    its Pod would have them mounted."""
    account = f"fedway-gateway-{name}"
    member.admin.wait("v1", "ServiceAccount", "fedway-system", account, bool)
    trust = member.admin.wait("v1", "ConfigMap", "fedway-system", "fedway-trust", bool)["data"]
    roots, token = host.directory / "roots.pem", host.directory / "token"
    roots.write_text(trust["roots.pem"])
    token.touch(0o600)
    token.write_text(member.token("fedway-system", account, "fedway"))
    return {"address": trust["xdsAddress"], "trustFile": str(roots), "tokenFile": str(token),
            "cluster": member.name, "name": name}
