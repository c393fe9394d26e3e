# SPDX-License-Identifier: Apache-2.0
"""A client, a gateway and servers of several TLS implementations, each host a namespace."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from scene import Scene  # noqa: E402


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)
