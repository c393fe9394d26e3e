# SPDX-License-Identifier: Apache-2.0
"""Programs that run in the background, each with a directory and a log of its own."""

import ctypes
import os
import re
import signal
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
TAIL_LINES = 25
TAIL_WIDTH = 300


class Ended(Exception):
    """A program ended that should have gone on."""


def die_with_parent():
    """For preexec_fn: no program outlives a test run that was killed."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Daemon:
    """A running program.

    Its output goes, line by line, to `directory`/NAME.log and to whoever waits for a line.
    It is the leader of a process group of its own, and `stop` ends that group.
    """

    def __init__(self, name, argv, directory, env=None, cwd=None):
        self.name = name
        self.host_name = None
        self.directory = directory
        self.log = directory / f"{name}.log"
        self.exit_code = None
        self._lines = []
        self._heard = threading.Condition()
        directory.mkdir(parents=True, exist_ok=True)
        # ours first: whatever the caller's environment is, a run is the same everywhere
        environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"}
        environment.update(env or {})
        self._process = subprocess.Popen(
            [str(word) for word in argv], cwd=cwd or directory, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, preexec_fn=die_with_parent, text=True, errors="replace")
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with open(self.log, "a", encoding="utf-8") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()
                with self._heard:
                    self._lines.append(line.rstrip("\n"))
                    self._heard.notify_all()
        code = self._process.wait()
        with self._heard:
            self.exit_code = code
            self._heard.notify_all()

    def wait_line(self, pattern, timeout=30.0, after=0):
        """Waits for a line (number `after` or later) that matches, and returns the match.

        Ended if the program ends first, TimeoutError if it says nothing of the kind.
        """
        wanted = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._heard:
            while True:
                for line in self._lines[after:]:
                    match = wanted.search(line)
                    if match:
                        return match
                after = len(self._lines)
                if self.exit_code is not None:
                    raise Ended(f"{self.name} ended with {self.exit_code} before it said "
                                f"/{pattern}/:\n{self.tail()}")
                if not self._heard.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"{self.name} did not say /{pattern}/ in {timeout} s:\n"
                                       f"{self.tail()}")

    def lines_so_far(self):
        """How many lines it has said: the `after` for something that is still to come."""
        with self._heard:
            return len(self._lines)

    def lines(self, pattern=""):
        """The lines said so far that match."""
        with self._heard:
            return [line for line in self._lines if re.search(pattern, line)]

    def alive(self):
        return self._process.poll() is None

    def check(self):
        """Ended unless it is still running."""
        if not self.alive():
            raise Ended(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout=30.0):
        """Waits for its end and returns the exit code."""
        return self._process.wait(timeout)

    def stop(self, timeout=10.0):
        """Ends it, by SIGTERM, after `timeout` by SIGKILL; returns the exit code."""
        if self.alive():
            self._process.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        return self._process.returncode

    def kill(self):
        """Ends it and what it started at once."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        self._reader.join(2)

    def tail(self):
        """The end of its log, for a failure message."""
        with self._heard:
            lines = self._lines[-TAIL_LINES:]
        return "\n".join(line[:TAIL_WIDTH] for line in lines)
