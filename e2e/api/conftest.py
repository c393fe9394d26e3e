# SPDX-License-Identifier: Apache-2.0
"""The hosted API server alone, and stock clients in front of it."""

import http.client
import json
import shutil
import ssl
import subprocess
import tempfile
import pathlib

import pytest

from lib import parts, wait
from lib.process import Daemon

WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"],
                  "categories": ["all"]},
        "versions": [{
            "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
            "additionalPrinterColumns": [
                {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
                {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}],
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "required": ["size"], "properties": {
                    "size": {"type": "integer", "minimum": 1, "description": "how large it is"},
                    "color": {"type": "string", "default": "red", "enum": ["red", "blue"]}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}}},
        }, {
            "name": "v1beta1", "served": True, "storage": False, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        }],
    },
}


def widget(name, size=1, **metadata):
    return {"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": name, "namespace": "default", **metadata}, "spec": {"size": size}}


class Server:
    """fedway-api-test with a data directory; it keeps its port over restarts."""

    def __init__(self, directory):
        self.directory = directory
        self.data = directory / "data"
        self.port = 0
        self.daemon = None
        self.start()

    def start(self):
        self.daemon = Daemon("api", [
            parts.ours("fedway-api-test"), "--data-dir", self.data,
            "--listen", f"127.0.0.1:{self.port}"], self.directory)
        self.port = int(self.daemon.wait_line(r"listening address=127\.0\.0\.1:(\d+)")[1])

    def kill(self):
        self.daemon.kill()

    def restart(self):
        self.kill()
        self.start()

    def open(self, method, path, body=None, content_type="application/json", token=None):
        """One request, the answer still unread. token: default is the admin's, "" is none."""
        tls = ssl.create_default_context(cadata=(self.data / "pki/serving-ca.crt").read_text())
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=tls, timeout=30)
        headers = {"Accept": "application/json", "Content-Type": content_type}
        if token != "":
            headers["Authorization"] = "Bearer " + (
                token or (self.data / "admin.token").read_text())
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        return connection.getresponse()

    def request(self, method, path, body=None, **options):
        """Status and decoded body."""
        response = self.open(method, path, body, **options)
        data = response.read()
        return response.status, json.loads(data) if data.startswith(b"{") else data.decode()

    def watch(self, path):
        """The events of a watch, one by one."""
        response = self.open("GET", path)
        assert response.status == 200
        for line in response:
            yield json.loads(line)


class Kubectl:
    def __init__(self, server, version, directory):
        self.program = parts.real(f"kubectl-{version}")
        self.directory = directory
        self.environment = {"KUBECONFIG": str(server.data / "admin.kubeconfig"),
                            "HOME": str(directory), "PATH": "/usr/bin:/bin"}

    def run(self, *words, stdin=None):
        return subprocess.run(
            [str(self.program), *words], input=_text(stdin), capture_output=True, text=True,
            timeout=60, env=self.environment, check=False)

    def __call__(self, *words, stdin=None):
        """Standard output; a failure shows what was said."""
        result = self.run(*words, stdin=stdin)
        assert result.returncode == 0, f"kubectl {' '.join(words)}: {result.stderr}"
        return result.stdout

    def fails(self, *words, stdin=None):
        """Standard error of what must fail."""
        result = self.run(*words, stdin=stdin)
        assert result.returncode != 0, f"kubectl {' '.join(words)} should fail: {result.stdout}"
        return result.stderr

    def start(self, *words):
        return Daemon("kubectl", [self.program, *words], self.directory, env=self.environment)


def _text(stdin):
    if stdin is None or isinstance(stdin, str):
        return stdin
    objects = stdin if isinstance(stdin, list) else [stdin]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


@pytest.fixture
def server(request):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="fedway-api-"))
    server = Server(directory)
    yield server
    server.kill()
    print(server.daemon.tail())
    shutil.rmtree(directory)


@pytest.fixture(params=["1.32", "1.37"])
def kubectl(request, server):
    """Each version in turn, with our sample kind installed."""
    kubectl = Kubectl(server, request.param, server.directory / "home")
    kubectl.directory.mkdir()
    kubectl("apply", "-f", "-", stdin=WIDGETS)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=10s")
    return kubectl


def until(question, **options):
    return wait.until(question, **options)
