# SPDX-License-Identifier: Apache-2.0
"""What a gateway can do without: root, capabilities, a writable file system, most system calls; and
what a core dump must not have."""

import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import hello
import test_xds
from lib import parts
from lib.process import Daemon
from test_listeners import answers, ingress, route
from test_xds import member, place, plane  # noqa: F401  pylint: disable=unused-import
from world import Gateway, unused_port, wait_for

USER = 65532
# a mount namespace in which only data folder and socket folder can be written
CAGE = r"""
set -e
mount --make-rprivate /
for dir in "$1" "$2"; do mount --bind "$dir" "$dir"; chown {user} "$dir"; done
mount -o remount,bind,ro /
shift 2
exec setpriv --reuid {user} --regid {user} --clear-groups --bounding-set=-all --inh-caps=-all "$@"
""".format(user=USER)


class CagedGateway(Gateway):
    """As the chart runs it: another user, no capabilities, a read-only root file system."""

    def start(self, *options, env=None):
        data = self.directory / "data"
        data.mkdir(exist_ok=True)
        self.daemon = Daemon(
            "fedway-gateway",
            ["unshare", "-m", "sh", "-c", CAGE, "cage", data, self.admin_path.parent,
             parts.ours("fedway-gateway"), "--config", self.file, *options],
            self.directory, env=env)
        self.daemon.wait_line(r" ready ", 20)
        self.ports = dict(re.search(r"name=(\S+) .*address=\S+:(\d+)", line).groups()
                          for line in self.daemon.lines(r" listening name="))
        self.port = int(self.ports["ingress"])


def statuses(pid, *fields):
    """What each thread says of itself."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        found.append(tuple(re.search(rf"^{field}:\s+(\S+)", text, re.M)[1] for field in fields))
    return found


def is_sanitized(one):
    return bool(one.daemon.lines("this is a sanitized build"))


@pytest.fixture
def caged(tmp_path):
    # where the other user may go
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != pathlib.Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    made = []

    def make(**config):
        made.append(CagedGateway(tmp_path, **config))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_another_user_without_capabilities_on_a_read_only_system(caged, upstream):
    up = upstream()
    one = caged(workers=2, routes=[route(up)])
    assert answers(one.port) == b"up\n"
    pid = one.daemon.pid
    for uid, effective, bounding, no_new in statuses(pid, "Uid", "CapEff", "CapBnd", "NoNewPrivs"):
        assert int(uid) == USER
        assert int(effective, 16) == int(bounding, 16) == 0
        assert no_new == "1"
    for folder in ("/tmp", "/etc", one.directory):
        with pytest.raises(OSError, match="Read-only"):
            (pathlib.Path(f"/proc/{pid}/root{folder}") / "new").touch()
    port = unused_port()
    one.reload(workers=2, routes=[route(up)], listeners=[ingress(port)])
    wait_for(lambda: answers(port) == b"up\n", "the new listener")
    data = one.directory / "data"
    wait_for(lambda: {path.name for path in data.iterdir()} == {"last-good.json", "takeover.sock"},
             "the copy, renamed")
    assert (data / "last-good.json").stat().st_uid == USER
    old = one.daemon
    one.start()
    old.wait_line("a successor serves", 10)
    assert answers(port) == b"up\n"
    assert old.wait(10) == 0


def test_a_port_below_1024_needs_a_right_and_the_error_says_so(caged, upstream):
    one = caged(routes=[route(upstream())])
    limit = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if limit < 2:
        pytest.skip("every port is free for everybody here")
    seen = one.daemon.lines_so_far()
    one.write(listeners=[ingress(limit - 1)])
    line = one.daemon.wait_line("rejected", 10, after=seen).string
    assert f"127.0.0.1:{limit - 1}: Permission denied" in line


def test_every_thread_is_in_the_sandbox(gateway, upstream):
    one = gateway(workers=3, routes=[route(upstream())])
    assert answers(one.port) == b"up\n"
    if is_sanitized(one):
        pytest.skip("a sanitized build has no sandbox")
    found = statuses(one.daemon.pid, "Seccomp", "NoNewPrivs")
    assert len(found) >= 4
    assert set(found) == {("2", "1")}


def test_the_sandbox_can_be_left_out(gateway, upstream):
    one = gateway("--no-sandbox", routes=[route(upstream())])
    assert set(statuses(one.daemon.pid, "Seccomp", "NoNewPrivs")) == {("0", "1")}
    assert one.daemon.lines("no sandbox, as --no-sandbox says")


def secrets(pem):
    """The key in each form that it may have in memory: text, number, number of OpenSSL's."""
    text = re.search(rb"-----BEGIN PRIVATE KEY-----.*?-----END PRIVATE KEY-----", pem, re.S)[0]
    number = load_pem_private_key(text, None).private_numbers().private_value.to_bytes(32, "big")
    return {"text": text.splitlines()[1], "number": number, "number, low word first": number[::-1]}


def dump(one):
    """Ends it with a core dump; its bytes."""
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" in pattern or "|" in pattern or "%" in pattern:
        pytest.skip(f"core dumps go elsewhere here: {pattern}")
    resource.prlimit(one.daemon.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    one.daemon.signal(signal.SIGABRT)
    one.daemon.wait(20)
    cores = list(one.directory.glob("core*"))
    assert len(cores) == 1
    data = cores[0].read_bytes()
    cores[0].unlink()
    return data


def test_a_core_dump_has_stacks_and_tables_but_no_private_key(plane, member, upstream):  # noqa: F811
    control = plane()
    one = member(control)
    up = upstream()
    control.serve(c1=test_xds.simple(up))
    one.says(hello.openssl(), b"up\n")
    wait_for(lambda: one.mesh()["connected"], "the stream")
    pem = (one.directory / "data" / "tls.pem").read_bytes()
    for made in ("new", "read"):
        core = dump(one)
        assert hello.NAME.encode() in core
        assert {name for name, secret in secrets(pem).items() if secret in core} == set(), made
        one.start()
        wait_for(lambda: one.mesh()["connected"], "the stream")


def test_a_call_outside_the_list_is_refused_and_the_gateway_goes_on(gateway, upstream):
    """A debugger makes it run another program."""
    one = gateway(routes=[route(upstream())])
    gdb = subprocess.run(["sh", "-c", "command -v gdb"], capture_output=True, check=False)
    if gdb.returncode != 0 or is_sanitized(one):
        pytest.skip("needs gdb, and a build that is not sanitized")
    done = subprocess.run(
        ["gdb", "-p", str(one.daemon.pid), "-batch", "-ex", 'print (int)execl("/bin/true", "x", 0)',
         "-ex", "print *(int *)__errno_location()"],
        capture_output=True, text=True, timeout=60, check=False).stdout
    assert re.search(r"^\$1 = -1$", done, re.M)
    assert answers(one.port) == b"up\n"
