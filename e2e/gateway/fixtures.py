# SPDX-License-Identifier: Apache-2.0
"""Gateways and upstreams that end with their test, or with their module. A suite's conftest.py
imports all of it."""

import contextlib
import os
import shutil

import pytest

import world
from lib import parts

OUTPUT = parts.ROOT / os.environ.get("FEDWAY_E2E_DIR", "build/e2e-logs")


@contextlib.contextmanager
def upstreams():
    made = []

    def make(name="up", serve=world.greet, **more):
        made.append(world.Upstream(serve, name, **more))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.close()


@contextlib.contextmanager
def gateways(owner):
    """Their logs are shown when `owner`, a test or a module, failed; a sanitizer's report fails
    it."""
    made = []

    def make(*options, **more):
        directory = OUTPUT / "gateway" / f"{owner.name}-{len(made)}".replace("/", "_")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        made.append(world.Gateway(directory, *options, **more))
        return made[-1]

    yield make
    reports = []
    for one in made:
        one.stop()
        reports += one.daemon.lines("ERROR: |runtime error|SUMMARY: ")
        if not reports and not getattr(owner, "failed", False):
            shutil.rmtree(one.directory, ignore_errors=True)
        else:
            print(one.daemon.tail())
    assert not reports


@pytest.fixture
def upstream():
    """upstream(name, serve=greet): a server."""
    with upstreams() as make:
        yield make


@pytest.fixture(scope="module")
def module_upstream():
    """As `upstream`, for all tests of a module."""
    with upstreams() as make:
        yield make


@pytest.fixture
def gateway(request):
    """gateway(*options, **config): a running gateway."""
    with gateways(request.node) as make:
        yield make


@pytest.fixture(scope="module")
def module_gateway(request):
    """As `gateway`, for all tests of a module."""
    with gateways(request.node) as make:
        yield make


@pytest.fixture
def black_hole():
    hole = world.BlackHole()
    yield hole
    hole.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        item.failed = item.parent.failed = True
    return report
