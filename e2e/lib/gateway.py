# SPDX-License-Identifier: Apache-2.0
"""Our own gateway, fedway-gateway, with a configuration file."""

import signal

import yaml

from lib import http, parts, wait
from lib.envoy import parse_metrics

INGRESS = {"name": "ingress", "mode": "ingress", "address": "0.0.0.0", "port": 15443}


class FedwayGateway:
    """fedway-gateway on a host of the lab. `config`: the fields of a GatewayConfig beside its
    apiVersion and kind; workers, listeners, health, metrics and admin have defaults here."""

    HEALTH = 15021
    METRICS = 15090

    def __init__(self, host, **config):
        self.host = host
        self.file = host.directory / "gateway.yaml"
        self.write(**config)
        self.daemon = host.daemon("fedway-gateway", parts.ours("fedway-gateway"), "--config",
                                  self.file, env={"ASAN_OPTIONS": "abort_on_error=1"})

    def write(self, **config):
        """Writes the file anew, in one step. Say `reload` to have it read at once."""
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
        beside.write_text(yaml.safe_dump(whole, sort_keys=False))
        beside.rename(self.file)

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

    def dump(self):
        (self.host.directory / "metrics.txt").write_text(
            http.get(self.host, f"http://127.0.0.1:{self.METRICS}/metrics").text)
