# SPDX-License-Identifier: Apache-2.0
"""fedwayd where the machine fails it: ports that are taken, a disk that takes nothing."""

import pathlib

import pytest

from lib import http, kube, objects, parts, wait
from lib.fedwayd import METRICS, Fedwayd

LISTENERS = ("api", "xds", "metrics")


def start(host, data, **ports):
    words = [word for name in LISTENERS
             for word in (f"--{name}-listen", f"127.0.0.1:{ports.get(name, 0)}")]
    return host.daemon("fedwayd", parts.ours("fedwayd"), "--data-dir", data, *words)


@pytest.mark.parametrize("name", LISTENERS)
def test_a_port_that_is_taken_is_named(fresh_lab, name):
    host = fresh_lab.host("control")
    with http.listen(host, "127.0.0.1", 9000):
        daemon = start(host, host.directory / "data", **{name: 9000})
        daemon.wait_line(r"error .*cannot listen on 127\.0\.0\.1:9000: another process uses it")
        assert daemon.wait() == 1


def test_a_data_directory_that_is_read_only_is_named(fresh_lab):
    host = fresh_lab.host("control")
    data = host.directory / "data"
    data.mkdir()
    host.run("mount", "-t", "tmpfs", "-o", "ro", "none", data)
    daemon = start(host, data)
    daemon.wait_line(rf"error .*--data-dir: '{data}' cannot be written: Read-only file system")
    assert daemon.wait() == 1


class Small(Fedwayd):
    """fedwayd with its data on a small file system that only its host sees."""

    def __init__(self, host):
        mounted = host.directory / "small"
        mounted.mkdir()
        host.run("mount", "-t", "tmpfs", "-o", "size=4m", "none", mounted)
        self.root = pathlib.Path(f"/proc/{host.pid}/root{mounted}")
        super().__init__(host)

    @property
    def data(self):
        return self.root / "data"

    @data.setter
    def data(self, _):
        pass

    def has(self, name):
        try:
            return self.admin.get("v1", "ConfigMap", "default", name)
        except kube.ApiError as error:
            assert error.code == 404


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def test_a_full_disk_refuses_writes_and_loses_none(fresh_lab):
    host = fresh_lab.host("control", fresh_lab.wan, "172.30.0.30")
    control = Small(host)
    control.wait_ready()
    control.admin.create(objects.config_map("default", "before", {"x": "y" * 1000}))
    fill(control.root / "fill")
    acknowledged = ["before"]
    for i in range(4):
        try:
            control.admin.create(objects.config_map("default", f"c{i}", {"x": "y" * 50000}))
            acknowledged.append(f"c{i}")
        except kube.ApiError as error:
            assert error.code == 503 and "free space" in str(error)
    assert len(acknowledged) < 5
    control.daemon.wait_line("the store cannot be written, writes wait: .*disk is full")
    # nobody is shown what is not on the disk; gateways have theirs
    assert http.get(host, f"http://127.0.0.1:{METRICS}/healthz").status == 200
    (control.root / "fill").unlink()
    control.daemon.wait_line("the store is written again")
    control.admin.create(objects.config_map("default", "after", {"x": "y"}))
    control.kill()
    control.start()
    for name in (*acknowledged, "after"):
        wait.until(lambda name=name: control.has(name), 5, name)
    assert control.daemon.stop() == 0
