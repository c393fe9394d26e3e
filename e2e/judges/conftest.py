# SPDX-License-Identifier: Apache-2.0
"""A client, a gateway and servers of several TLS implementations, each host a namespace."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
# hellos are the gateway suite's own
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "gateway")]

from scene import Scene  # noqa: E402


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)
