# SPDX-License-Identifier: Apache-2.0
"""Programs that look for faults in a TLS server find the same ones through the gateway as they do
without it: it adds none, hides none, and is not mistaken for the server."""

import pathlib

import pytest

from scene import DOOR, GATEWAY_IP, PAGE, PAGE_PORT, SERVER_IP

HERE = pathlib.Path(__file__).resolve().parent
DIRECT, GATEWAY = (SERVER_IP, PAGE_PORT), (GATEWAY_IP, DOOR)


@pytest.fixture(scope="module")
def served(scene):
    scene.serve_go(port=PAGE_PORT)
    return scene


def test_sslyze_finds_the_same(served):
    direct, through = (served.judge(HERE / "scan.py", *where, PAGE, served.roots, "istio")
                       for where in (DIRECT, GATEWAY))
    found = direct["scan_result"]
    assert found["tls_1_3_cipher_suites"]["result"]["accepted_cipher_suites"]
    assert not found["tls_1_0_cipher_suites"]["result"]["accepted_cipher_suites"]
    assert {check["status"] for check in found.values()} == {"COMPLETED", "NOT_SCHEDULED"}
    # the one difference: who names no server gets none
    certificate = "certificate_info", "result", "certificate_deployment_with_sni_disabled"
    assert take(direct, certificate) and not take(through, certificate)
    for check in found:
        assert through["scan_result"][check] == found[check], check
    assert through == direct
    assert served.routed() > 100
    assert served.closed("no_sni") > 0


def take(report, path):
    """Removes one finding from the report and returns it."""
    *outer, last = path
    at = report["scan_result"]
    for name in outer:
        at = at[name]
    return at.pop(last)


def test_sslyze_as_it_is_gets_nowhere(served):
    """It offers no protocol of the mesh: the gateway refuses each of its connections."""
    before = served.routed(), served.closed("no_mesh_alpn")
    seen = served.judge(HERE / "scan.py", *GATEWAY, PAGE, served.roots)
    assert seen["scan_status"] == "ERROR_NO_CONNECTIVITY"
    assert served.routed() == before[0]
    assert served.closed("no_mesh_alpn") > before[1]


def test_tlslite_has_the_same_conversations(served):
    direct, through = (served.judge(HERE / "odd.py", *where, PAGE, "istio")
                       for where in (DIRECT, GATEWAY))
    assert direct["a wrong tag"] == "alert 20"
    assert direct["no key share"]["Retried"]
    assert direct["64 KiB there and back"] == "the same"
    for case in direct:
        assert through[case] == direct[case], case
