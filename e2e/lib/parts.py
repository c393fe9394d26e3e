# SPDX-License-Identifier: Apache-2.0
"""Where programs are: the real components in build/parts, and our own in build/*/bin.

Without CI a missing one skips the test, loudly; with CI=true it is a failure.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ROOT / "build" / "parts"


def ours(name):
    """Path of one of our programs, from FEDWAY_BIN (a folder; default build/bin)."""
    folder = pathlib.Path(os.environ.get("FEDWAY_BIN", ROOT / "build" / "bin"))
    return _found((ROOT / folder / name).resolve(),
                  "build it (make), or name its folder in FEDWAY_BIN")


def real(name):
    """Path of a real component's program (`envoy`, `istiod`, `kubectl-1.32`, ...)."""
    return _found(PARTS / "bin" / name, "install it: .ci/parts")


def share(name):
    """Path of a published file that belongs to a real component (`istio-crds.yaml`, ...)."""
    return _found(PARTS / "share" / name, "install it: .ci/parts")


def tool(name):
    """Path of a program of the system (`ip`, `nft`, `curl`)."""
    for folder in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        path = pathlib.Path(folder, name)
        if path.exists():
            return path
    return _found(pathlib.Path("/usr/bin", name), "install its Debian package")


def missing(why):
    """Ends the test: skipped without CI, failed with CI=true. Outside of pytest (the demo) it
    ends the program."""
    if "pytest" not in sys.modules:
        sys.exit(f"{why}")
    import pytest
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why} (CI=true skips nothing)", pytrace=False)
    pytest.skip(why)


def _found(path, remedy):
    if not path.exists():
        missing(f"{path} is not there; {remedy}")
    return path
