# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gateway have in common lies in fixtures.py, for other suites too."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from fixtures import (  # noqa: E402,F401
    black_hole, gateway, module_gateway, module_upstream, pytest_runtest_makereport, upstream)
