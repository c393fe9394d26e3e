# SPDX-License-Identifier: Apache-2.0
"""Gateways and upstreams that end with their test."""

import os
import pathlib
import shutil
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lib import parts  # noqa: E402
import world  # noqa: E402

OUTPUT = parts.ROOT / os.environ.get("FEDWAY_E2E_DIR", "build/e2e-logs")


@pytest.fixture
def upstream():
    """upstream(name, serve=greet): a server."""
    made = []

    def make(name="up", serve=world.greet, **more):
        made.append(world.Upstream(serve, name, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def black_hole():
    hole = world.BlackHole()
    yield hole
    hole.close()


@pytest.fixture
def gateway(request):
    """gateway(*options, **config): a running gateway. Its log is shown when the test fails, and a
    sanitizer's report fails it."""
    made = []

    def make(*options, **more):
        directory = OUTPUT / "gateway" / f"{request.node.name}-{len(made)}".replace("/", "_")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        made.append(world.Gateway(directory, *options, **more))
        return made[-1]

    yield make
    reports = []
    for one in made:
        one.stop()
        reports += one.daemon.lines("ERROR: |runtime error|SUMMARY: ")
        if not reports and not getattr(request.node, "failed", False):
            shutil.rmtree(one.directory, ignore_errors=True)
        else:
            print(one.daemon.tail())
    assert not reports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.failed = True
    return report
