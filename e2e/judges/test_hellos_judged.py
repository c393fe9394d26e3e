# SPDX-License-Identifier: Apache-2.0
"""The gateway refuses as malformed only what servers would not have answered either: each such
hello of the gateway's own suite, sent to Go's and to OpenSSL's TLS without a gateway."""

import socket

import pytest

from hellos import CASES
from lib import http
from scene import PORTS, SERVER_IP

JUDGES = ("go", "openssl")
MALFORMED = {case: data for case, (data, expected) in CASES.items()
             if expected.reason == "bad_hello" and expected.alert != 112}
NOBODY_LOOKS = "servers do not look at names that they have no use for"
# what one of them answers all the same, and why it is refused
LENIENT = {
    "session id of 33": "Go reads one of any length; RFC 8446 4.1.2 allows 32 bytes",
    "an empty name": "OpenSSL takes it for none; RFC 6066 3 wants one byte at least",
    "an empty record": "OpenSSL passes over it; RFC 8446 5.1 forbids it",
    **dict.fromkeys(("NUL in the name", "NUL at the end", "Latin-1 in the name",
                     "UTF-8 in the name", "a space in the name", "a line end in the name",
                     "DEL in the name"), NOBODY_LOOKS),
}


@pytest.fixture(scope="module")
def servers(scene):
    scene.serve_go()
    scene.serve_openssl()
    return scene


def is_answered(scene, kind, data):
    """Does the server say a hello of its own?"""
    with http.connect(scene.client, SERVER_IP, PORTS[kind]) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while len(answer) < 6 and (piece := client.recv(6 - len(answer))):
                answer += piece
        except ConnectionResetError:
            pass
    return answer[:1] == b"\x16" and answer[5:] == b"\x02"


@pytest.mark.parametrize("kind", JUDGES)
def test_the_hello_that_the_cases_change_is_answered(servers, kind):
    for case in ("client version 0303", "record version 03ff", "client version 7f12, a draft",
                 "an encrypted hello whose outer name is routed", "empty session id"):
        assert is_answered(servers, kind, CASES[case][0]), case


@pytest.mark.parametrize("case", MALFORMED)
def test_no_server_answers_what_is_refused_as_malformed(servers, case):
    answered = [kind for kind in JUDGES if is_answered(servers, kind, MALFORMED[case])]
    assert bool(answered) == (case in LENIENT), answered
