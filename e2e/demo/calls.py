# SPDX-License-Identifier: Apache-2.0
"""`fedway lab workload sleep` measures: calls that run, and what became of them."""

import collections
import json
import time

from lib import parts


def now_ms():
    """The clock of the workloads."""
    return time.monotonic() * 1000


class Calls:
    """A running `sleep` of one cluster. Without `count` it goes on until `end`."""

    def __init__(self, host, via, count=0, every="20ms", hold=0):
        words = ["--via", via]
        if count:
            words += ["--calls", count]
        else:
            words += ["--every", every]
        if hold:
            words += ["--hold", hold]
        self.daemon = host.daemon("sleep", parts.ours("fedway"), "lab", "workload",
                                  "sleep", *words,
                                  cwd=host.directory)

    def finish(self, timeout=60.0):
        """Waits until a counted run is over; returns itself."""
        self.daemon.wait(timeout)
        self.daemon.wait_line('"summary"', 5)
        return self

    def end(self):
        """Ends it; calls under way are waited for. Returns itself."""
        self.daemon.stop()
        self.daemon.wait_line('"summary"', 5)
        return self

    def told(self):
        return [json.loads(line) for line in self.daemon.lines(r'^\{"')]

    def told_calls(self):
        return self.started_after(0)

    def started_after(self, ms):
        """The calls that started after this time, in the order of their ends."""
        return [line for line in self.told() if "call" in line and line["start"] >= ms]

    def wait_calls(self, number, after_ms, timeout=30.0):
        """Waits until so many calls that started after this time have ended; returns them."""
        return self.wait(lambda line: line.get("start", 0) >= after_ms, timeout, number)

    def wait_answer(self, answer, after_ms, timeout=30.0):
        """Waits for a call, started after this time, with this answer; returns it."""
        return self.wait(lambda line: line.get("answer") == answer
                         and line["start"] >= after_ms, timeout)[-1]

    def wait(self, test, timeout, number=1):
        """Waits for so many lines that pass the test, and returns them."""
        deadline, after, found = time.monotonic() + timeout, 0, []
        while True:
            self.daemon.wait_line(r'^\{"', max(0.01, deadline - time.monotonic()), after)
            lines = self.daemon.lines()[after:]
            after += len(lines)
            found += [line for line in map(parse, lines) if line and test(line)]
            if len(found) >= number:
                return found

    def cut(self):
        """Held connections that were cut."""
        return [line for line in self.told() if "held" in line]


def parse(line):
    return json.loads(line) if line.startswith('{"') else None


def failed(calls):
    return [call for call in calls if "error" in call]


def answers(calls):
    """How often each answer was given."""
    return collections.Counter(call["answer"] for call in calls if "answer" in call)


def percents(calls):
    """{answer: per cent of the calls}."""
    return {answer: 100 * number / len(calls) for answer, number in answers(calls).items()}


def near(calls, wanted, points=3.0):
    """Did each answer get its wanted share (per cent), and did nothing fail?"""
    have = percents(calls)
    return bool(calls) and not failed(calls) and all(
        abs(have.get(answer, 0) - wanted.get(answer, 0)) <= points
        for answer in have.keys() | wanted.keys())


def shares(calls):
    """"vc1 34% vc2 33% vc3 33%"."""
    return " ".join(f"{answer} {share:.0f}%" for answer, share in sorted(percents(calls).items()))
