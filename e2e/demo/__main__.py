# SPDX-License-Identifier: Apache-2.0
"""Runs the demo; see e2e/demo/run."""

import argparse
import os
import pathlib
import sys
import tempfile
import time
import traceback

from demo.lab import Lab
from demo.steps import STEPS
from demo.world import World
from lib import parts

# What a program says that has found a mistake of its own.
BROKEN = r"ERROR: \w+Sanitizer|runtime error:|Assertion .* failed|unreachable"
WORDS = {True: "PASS", False: "FAIL", None: "----"}


def options():
    parser = argparse.ArgumentParser(prog="e2e/demo/run", description=(
        "Three clusters in network namespaces of their own, joined into one mesh and put through "
        "ten steps. Exit code 0: every claim held."))
    parser.add_argument("--members", choices=("real", "embedded"), help=(
        "API servers of the members: real kube-apiservers (.ci/parts installs them) or "
        "fedwayd --role=member; default real if they are there"))
    parser.add_argument("--steps", metavar="N,N", help="only these steps, such as 1,4")
    parser.add_argument("--dir", metavar="DIR", help="where logs go, kept; default is a folder "
                        "that is kept only after a failure")
    parser.add_argument("--quiet", action="store_true", help="one line a step and no tables")
    return parser.parse_args()


def run_step(world, number, step, quiet):
    """Runs one step and prints its line; what it was: True, False or None."""
    start = time.monotonic()
    try:
        outcome = step(world)
    except Exception as error:  # a step that cannot be measured has failed, the next may go on
        traceback.print_exc()
        print(f"({number}) FAIL {step.__doc__}: {error}", flush=True)
        return False
    took = time.monotonic() - start
    print(f"({number}) {WORDS[outcome.passed]} {step.__doc__}: {outcome.text}  [{took:.1f} s]",
          flush=True)
    for line in [] if quiet else outcome.details:
        print(f"      {line}", flush=True)
    return outcome.passed


def main():
    given = options()
    members = given.members or (
        "real" if (parts.PARTS / "bin" / "kube-apiserver").exists() else "embedded")
    chosen = ([int(word) for word in given.steps.split(",")] if given.steps
              else range(1, len(STEPS) + 1))
    directory = pathlib.Path(given.dir or tempfile.mkdtemp(prefix="fedway-demo-"))
    start = time.monotonic()
    results = []
    lab = Lab(directory / "lab")
    world = None
    try:
        world = World(lab, members)
        print(f"three clusters are one mesh after {time.monotonic() - start:.1f} s "
              f"(members: {members})", flush=True)
        for number in chosen:
            results.append(run_step(world, number, STEPS[number - 1], given.quiet))
        for daemon in lab.daemons + lab.programs():
            for line in daemon.lines(BROKEN):
                print(f"FAIL {daemon.log}: {line}")
                results.append(False)
    except Exception as error:
        traceback.print_exc()
        print(f"FAIL the world did not come up: {error}")
        results.append(False)
    finally:
        if False in results and world:
            world.explain()
        lab.close()
    return report(results, directory, bool(given.dir), time.monotonic() - start)


def report(results, directory, keep, took):
    held, broken, unbuilt = (results.count(value) for value in (True, False, None))
    print(f"{held} claims held, {broken} did not, {unbuilt} not built yet  [{took:.0f} s]")
    if broken or keep:
        print(f"logs: {directory}")
    else:
        for path in sorted(directory.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        directory.rmdir()
    return 1 if broken else 0


if __name__ == "__main__":
    os.environ.setdefault("FEDWAY_BIN", str(parts.ROOT / "build" / "bin"))
    sys.exit(main())
