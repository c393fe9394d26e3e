# SPDX-License-Identifier: Apache-2.0
"""`fedway lab` as the demo's ground: its hosts, its links, and the programs that it started."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import subprocess

from lib import parts
from lib.lab import namespace
from lib.process import Daemon, Ended


class Host:
    """A host of the lab under another name, with a folder of its own: what lib.kube wants of one.

    `place`: a host of the lab ("cluster1"), or a Pod of one ("cluster1/sleep").
    """

    def __init__(self, lab, name, place, address=None):
        self.lab = lab
        self.name = name
        self.place = place
        self.address = address
        self.directory = lab.directory / name
        self.directory.mkdir(parents=True, exist_ok=True)

    def argv(self, *words):
        return self.lab.argv("exec", self.place, *words)

    def run(self, *words, check=True, timeout=60, **more):
        """Runs a command inside to its end; the result has its stdout and stderr as text."""
        result = subprocess.run(self.argv(*words), timeout=timeout, cwd=self.directory, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        if check and result.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, words))}: exit "
                               f"{result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def daemon(self, name, *words, env=None, cwd=None):
        """Starts a program inside; it ends with the lab at the latest."""
        daemon = Daemon(name, self.argv(*words), self.directory, env=env, cwd=cwd)
        self.lab.daemons.append(daemon)
        return daemon

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes within the block belong to this host, for good."""
        with namespace(f"/proc/{self.lab.pid}/root/run/netns/{self.place.split('/')[0]}"):
            yield

    def nft(self, rules):
        self.run(parts.tool("nft"), "-f", "-", input=rules)

    @contextlib.contextmanager
    def silent(self, port):
        """Within the block, what arrives from other hosts at this port is dropped."""
        self.nft("table ip silence {\n"
                 "  chain input { type filter hook input priority 0;\n"
                 f"    iifname wan0 tcp dport {port} drop\n"
                 "  }\n"
                 "}\n")
        try:
            yield
        finally:
            self.nft("delete table ip silence\n")


class Program:
    """A program of the lab, by what `lab status` says of it."""

    def __init__(self, lab, host, name):
        self.lab = lab
        self.host = host
        self.name = name

    def _told(self):
        return next(one for one in self.lab.status()["programs"]
                    if (one["host"], one["program"]) == (self.host, self.name))

    @property
    def log(self):
        return pathlib.Path(self._told()["folder"]) / "log.txt"

    def lines(self, pattern=""):
        """The lines said so far that match."""
        text = self.log.read_text(errors="replace")
        return [line for line in text.splitlines() if re.search(pattern, line)]

    def check(self):
        """Ended unless it is running."""
        if self._told()["state"] == "Ended":
            raise Ended(f"{self.name} on {self.host} has ended:\n"
                        + "\n".join(self.lines()[-25:]))

    def kill(self):
        """Ends it at once; returns when it is gone."""
        process = os.pidfd_open(self._told()["pid"])
        try:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], 10)
        finally:
            os.close(process)

    def start(self):
        """Starts it again, and returns when it listens."""
        self.lab.fedway("start", self.host, self.name)


class Lab:
    """A lab with its network, and a folder for what the demo itself writes. It ends with us."""

    wan = None  # hosts are there already: lib.kube says where it wants one

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.folder = self.directory / "fedway"
        self.daemons = []
        # ends the lab when this process is gone, however it went
        self._end = subprocess.Popen(
            ["sh", "-c", 'cat; exec "$@"', "sh", *self.argv("down")], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.fedway("up", "--net-only")
        status = self.status()
        self.pid = status["pid"]
        self.places = {host["address"]: host["host"] for host in status["hosts"]}

    def argv(self, word, *words):
        return [str(part) for part in (parts.ours("fedway"), "lab", word, "--dir", self.folder,
                                       *words)]

    def fedway(self, word, *words, good=(0,)):
        """Runs `fedway lab WORD ...`; returns what it said."""
        result = subprocess.run(self.argv(word, *words), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=120)
        if result.returncode not in good:
            raise RuntimeError(f"fedway lab {word}: exit {result.returncode}\n"
                               f"{result.stdout}{result.stderr}")
        return result.stdout

    def up(self, *words):
        """The mesh on top of the network; `words`: options of `lab up`."""
        self.fedway("up", *words)

    def status(self):
        return json.loads(self.fedway("status", "-o", "json", good=(0, 3)))

    def host(self, name, network=None, address=None):
        """What has this address, under this name."""
        return Host(self, name, self.places[address], address)

    def programs(self):
        return [Program(self, one["host"], one["program"]) for one in self.status()["programs"]]

    @contextlib.contextmanager
    def cut(self, one, other):
        """Within the block, every packet between two hosts is dropped."""
        self.fedway("cut", one, other)
        try:
            yield
        finally:
            self.fedway("heal", one, other)

    def close(self):
        """Ends everything."""
        for daemon in reversed(self.daemons):
            daemon.kill()
        self._end.stdin.close()
        self._end.wait(30)
