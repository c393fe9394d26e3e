# SPDX-License-Identifier: Apache-2.0
"""Real Kubernetes API servers in the lab, and two clients for them: REST and kubectl."""

import base64
import json
import ssl
import time
import urllib.parse

import yaml

from lib import http, parts, pki, wait

ADMIN_TOKEN = "admin-token"
SERVICE_RANGE = "10.96.0.0/16"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

CONTROLLERS = ("namespace-controller", "garbage-collector-controller", "serviceaccount-controller",
               "serviceaccount-token-controller", "endpoints-controller",
               "endpointslice-controller", "endpointslice-mirroring-controller",
               "root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller")


class ApiError(Exception):
    """An answer other than 2xx; `status` is its Status object."""

    def __init__(self, method, path, code, body):
        try:
            self.status = json.loads(body)
        except ValueError:
            self.status = {"message": body.decode(errors="replace")}
        self.code = code
        super().__init__(f"{method} {path}: {code} {self.status.get('message')}")


class Client:
    """A REST client with one identity, from one host of the lab.

    Objects are plain dicts. Resource paths come from discovery, so CRDs work as well.
    """

    def __init__(self, host, address, port, authority, token):
        self.host = host
        self.address = address
        self.port = port
        self.token = token
        self.authority = authority
        self._tls = ssl.create_default_context(cadata=authority)
        self._resources = {}

    def request(self, method, path, body=None, content_type="application/json"):
        """One request; returns the decoded answer, or raises ApiError."""
        connection = self._open(method, path, body, content_type)
        try:
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        if response.status // 100 != 2:
            raise ApiError(method, path, response.status, data)
        return json.loads(data) if data.startswith(b"{") else data.decode()

    def _open(self, method, path, body=None, content_type="application/json", timeout=30.0):
        connection = http.connection(self.host, self.address, self.port, self._tls, timeout)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = content_type
            body = json.dumps(body).encode()
        connection.request(method, path, body, headers)
        return connection

    def path(self, api_version, kind, namespace=None, name=None, subresource=None):
        """The path of an object, or of a collection where `name` is None."""
        prefix = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        resource = self._resource(prefix, kind)
        words = [prefix]
        if resource["namespaced"] and namespace:
            words += ["namespaces", namespace]
        words += [word for word in (resource["name"], name, subresource) if word]
        return "/".join(words)

    def _resource(self, prefix, kind):
        if (prefix, kind) not in self._resources:
            for resource in self.request("GET", prefix)["resources"]:
                if "/" not in resource["name"]:
                    self._resources[prefix, resource["kind"]] = resource
        if (prefix, kind) not in self._resources:
            raise KeyError(f"no kind {kind} in {prefix} at {self.address}")
        return self._resources[prefix, kind]

    def _path_of(self, obj, with_name=True, subresource=None):
        meta = obj["metadata"]
        return self.path(obj["apiVersion"], obj["kind"], meta.get("namespace"),
                         meta["name"] if with_name else None, subresource)

    def create(self, obj, subresource=None):
        """Creates an object (or, with its name, a subresource of one) and returns the answer."""
        return self.request("POST", self._path_of(obj, subresource is not None, subresource), obj)

    def get(self, api_version, kind, namespace, name):
        return self.request("GET", self.path(api_version, kind, namespace, name))

    def list(self, api_version, kind, namespace=None, **query):
        path = self.path(api_version, kind, namespace)
        return self.request("GET", f"{path}?{urllib.parse.urlencode(query)}")["items"]

    def apply(self, *objects):
        """Server-side apply; of a `status` in an object, a patch of its status as well.

        Returns the last answer.
        """
        answer = None
        for obj in objects:
            status = obj.get("status")
            spec = {key: value for key, value in obj.items() if key != "status"}
            answer = self.request("PATCH", self._path_of(obj) + "?fieldManager=e2e&force=true",
                                  spec, APPLY_PATCH)
            if status is not None:
                answer = self.set_status(obj, status)
        return answer

    def patch(self, obj, change):
        """Merge-patches the object of this identity with `change`."""
        return self.request("PATCH", self._path_of(obj), change, MERGE_PATCH)

    def set_status(self, obj, status):
        """Merge-patches the status of an object."""
        return self.request("PATCH", self._path_of(obj, subresource="status"), {"status": status},
                            MERGE_PATCH)

    def delete(self, obj):
        return self.request("DELETE", self._path_of(obj))

    def watch(self, api_version, kind, namespace=None, timeout=30.0, **query):
        """Yields (type, object): first ADDED for all there are, then changes, for `timeout` s."""
        query.update(watch="true", timeoutSeconds=int(timeout) + 1)
        path = self.path(api_version, kind, namespace)
        deadline = time.monotonic() + timeout
        path = f"{path}?{urllib.parse.urlencode(query)}"
        connection = self._open("GET", path, timeout=timeout)
        try:
            response = connection.getresponse()
            if response.status != 200:
                raise ApiError("GET", path, response.status, response.read())
            while time.monotonic() < deadline:
                connection.sock.settimeout(max(0.01, deadline - time.monotonic()))
                try:
                    line = response.readline()
                except TimeoutError:
                    return
                if not line:
                    return
                event = json.loads(line)
                yield event["type"], event["object"]
        finally:
            connection.close()

    def wait(self, api_version, kind, namespace, name, test, timeout=20.0):
        """Watches one object until test(object) is true and returns it.

        `test` gets None when the object is deleted.
        """
        last = None
        for event, obj in self.watch(api_version, kind, namespace, timeout,
                                     fieldSelector=f"metadata.name={name}"):
            last = None if event == "DELETED" else obj
            if test(last):
                return last
        raise TimeoutError(f"{kind} {namespace}/{name}: not within {timeout} s; last: "
                           f"{json.dumps(last)[:2000]}")


class Etcd:
    """One etcd for all API servers of a lab (each has a prefix of its own)."""

    def __init__(self, lab, address):
        self.host = lab.host("etcd", lab.wan, address)
        self.url = f"http://{address}:2379"
        self.daemon = self.host.daemon(
            "etcd", parts.real("etcd"), "--unsafe-no-fsync", f"--data-dir={self.host.directory}/data",
            f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}",
            "--listen-peer-urls=http://127.0.0.1:2380", "--log-level=warn")


class Cluster:
    """A real Kubernetes API server on a host of its own, on the wan, with RBAC.

    There are no nodes, no kubelet and, unless `start_controllers` is called, no controllers: a
    test writes Pods' status and EndpointSlices itself. `admin` is a Client in system:masters.
    More users: `users` is {token: (user, group, ...)}.
    """

    PORT = 6443

    def __init__(self, lab, etcd, name, address, users=None):
        self.lab = lab
        self.name = name
        self.address = address
        self.etcd = etcd
        self.host = lab.host(f"kube-{name}", lab.wan, address)
        self.url = f"https://{address}:{self.PORT}"
        self.ca = pki.root(f"kube-{name}")
        self._write_files(users or {})
        self.daemon = None
        self.controllers = None
        self.start()
        self.admin = self.client(ADMIN_TOKEN)

    def _write_files(self, users):
        folder = self.host.directory
        self.ca.write(folder, "ca")
        self.ca.issue("kube-apiserver", ips=[self.address, "127.0.0.1"]).write(folder, "serving")
        pki.key_pair(folder, "sa")
        rows = [f'{ADMIN_TOKEN},admin,admin,"system:masters"']
        for token, (user, *groups) in users.items():
            rows.append(f'{token},{user},{user},"{",".join(groups)}"')
        (folder / "tokens.csv").write_text("\n".join(rows) + "\n")

    def start(self):
        """Starts the API server (again) and waits until it is ready."""
        self.daemon = self.host.daemon(
            "kube-apiserver", parts.real("kube-apiserver"),
            f"--etcd-servers={self.etcd.url}", f"--etcd-prefix=/{self.name}",
            f"--bind-address={self.address}", f"--secure-port={self.PORT}",
            "--tls-cert-file=serving.crt", "--tls-private-key-file=serving.key", "--cert-dir=.",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-signing-key-file=sa.key", "--service-account-key-file=sa.pub",
            "--token-auth-file=tokens.csv", "--client-ca-file=ca.crt",
            "--authorization-mode=RBAC", f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--allow-privileged=true", "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none")

    def wait_ready(self, timeout=60.0):
        """Waits until the API server says that it is ready."""

        def ready():
            self.daemon.check()
            try:
                return self.admin.request("GET", "/readyz") == "ok"
            except ApiError:
                return False

        wait.until(ready, timeout, f"kube-apiserver {self.name} ready")
        return self

    def start_controllers(self):
        """Starts a real kube-controller-manager: namespaces, garbage, accounts, EndpointSlices."""
        kubeconfig = self.kubeconfig("controllers.kubeconfig")
        self.controllers = self.host.daemon(
            "kube-controller-manager", parts.real("kube-controller-manager"),
            f"--kubeconfig={kubeconfig}", f"--controllers={','.join(CONTROLLERS)}",
            "--leader-elect=false", "--service-account-private-key-file=sa.key",
            "--root-ca-file=ca.crt", "--authentication-skip-lookup", "--cert-dir=.",
            "--bind-address=127.0.0.1")

    def client(self, token, host=None):
        """A REST client with this token, from `host` (default: the API server's own)."""
        return Client(host or self.host, self.address, self.PORT, self.ca.pem, token)

    def kubeconfig_of(self, token, user="user"):
        """A kubeconfig as a dict, complete in itself (token and authority inline)."""
        authority = base64.b64encode(self.ca.pem.encode()).decode()
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": self.name,
            "clusters": [{"name": self.name, "cluster": {
                "server": self.url, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
        }

    def kubeconfig(self, name="admin.kubeconfig", token=ADMIN_TOKEN):
        """Writes a kubeconfig file into the cluster's directory and returns its path."""
        path = self.host.directory / name
        path.write_text(yaml.safe_dump(self.kubeconfig_of(token)))
        return path

    def kubectl(self, *words, version="1.37", stdin=None, check=True):
        """Runs a real kubectl of this version as admin; returns the result with stdout, stderr."""
        return self.host.run(parts.real(f"kubectl-{version}"),
                             f"--kubeconfig={self.kubeconfig()}",
                             f"--cache-dir={self.host.directory}/kubectl-cache", *words,
                             input=stdin, check=check)

    def token(self, namespace, account, audience=None, pod=None):
        """A token of a service account, for an audience and bound to a Pod if given."""
        spec = {"audiences": [audience]} if audience else {}
        if pod:
            spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod}
        path = self.admin.path("v1", "ServiceAccount", namespace, account, "token")
        answer = self.admin.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec})
        return answer["status"]["token"]
