# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every suite has, and what is shown when a test fails."""

import os
import re
import shutil

import pytest

from lib import parts
from lib.lab import Lab

OUTPUT = parts.ROOT / os.environ.get("FEDWAY_E2E_DIR", "build/e2e-logs")
LABS = []


@pytest.fixture(scope="module")
def lab(request):
    """An empty Lab for all tests of a module: its hosts, networks and programs end with it.

    Its directory is build/e2e-logs/MODULE (FEDWAY_E2E_DIR changes the first part). After a failure
    it is kept, and the end of every log in it is printed; FEDWAY_KEEP=1 keeps it always.
    """
    yield from _lab(re.sub(r"\W+", "-", request.module.__name__), request.module)


@pytest.fixture
def fresh_lab(request):
    """As `lab`, for a single test."""
    yield from _lab(re.sub(r"\W+", "-", request.node.name), request.node)


def _lab(name, owner):
    made = Lab(OUTPUT / name)
    LABS.append((made, owner))
    try:
        yield made
    finally:
        made.close()
        LABS.remove((made, owner))
        if not (getattr(owner, "fedway_failed", False) or os.environ.get("FEDWAY_KEEP")):
            shutil.rmtree(made.directory, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for made, owner in LABS:
            if owner in (item, item.module):
                owner.fedway_failed = True
                made.explain()
                report.sections += [(f"{daemon.host_name}/{daemon.name}"
                                     f"{'' if daemon.alive() else ' (ended)'}: {daemon.log}",
                                     daemon.tail()) for daemon in made.daemons]
    return report


def pytest_sessionfinish(session, exitstatus):
    # For ctest, which would else call a run "passed" of which a part was skipped.
    code = os.environ.get("FEDWAY_SKIP_CODE")
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if code and exitstatus == 0 and reporter.stats.get("skipped"):
        session.exitstatus = int(code)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        reasons = sorted({str(report.longrepr[2]) for report in skipped})
        terminalreporter.write_line("")
        terminalreporter.write_line(f"*** {len(skipped)} tests were NOT run:", yellow=True)
        for reason in reasons:
            terminalreporter.write_line(f"***   {reason}", yellow=True)
