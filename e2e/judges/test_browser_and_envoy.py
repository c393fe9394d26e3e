# SPDX-License-Identifier: Apache-2.0
"""Chromium, curl and stock Envoys around the gateway.

A browser cannot be made to offer a protocol of the mesh, so alone it is refused, and by exactly
that alert. Its page is reached the way all foreign programs reach a mesh: by a sidecar.
"""

import os

import pytest

import envoys
import hello
from lib import http, parts, tls
from scene import (BALANCER_IP, CLIENT_IP, DOOR, GATEWAY_IP, NAMES, PAGE, PAGE_PORT, SERVER_IP,
                   Tap)

SIDECAR, TAP = 8080, 8446
GATEWAY = (GATEWAY_IP, DOOR)
MLKEM = b"\x11\xec"  # X25519MLKEM768 as a group's number
CALLER = "spiffe://cluster.local/ns/shop/sa/caller"


@pytest.fixture(scope="module")
def sidecars(scene):
    """Envoy in front of the gateway, with the caller's identity, and Envoy behind it."""
    scene.workload = envoys.workload(scene.server, SERVER_IP, PAGE_PORT,
                                     (scene.chain, scene.key, scene.roots))
    scene.caller = envoys.caller(scene.client, SIDECAR, GATEWAY, PAGE,
                                 (*scene.identity, scene.roots))
    return scene


@pytest.fixture(scope="module")
def tap(scene):
    made = Tap(scene.client, TAP)
    yield made
    made.close()


def browse(scene, url, *more):
    """Chromium's result: its output is the page as it has understood it."""
    profile = scene.client.directory / "profile"
    return scene.run(
        parts.tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        "--no-first-run", "--enable-logging=stderr", f"--user-data-dir={profile}", *more,
        "--dump-dom", url, timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": str(scene.client.directory)})


def test_curl_reaches_a_page_by_sidecars_in_front_and_behind(sidecars):
    before = sidecars.routed()
    answer = http.get(sidecars.client, f"http://127.0.0.1:{SIDECAR}/")
    assert (answer.status, answer.text) == (200, envoys.PAGE_TEXT)
    assert answer.headers["x-caller"] == CALLER
    done = sidecars.run(parts.tool("curl"), "-sS", f"http://127.0.0.1:{SIDECAR}/", timeout=20)
    assert done.stdout == envoys.PAGE_TEXT
    assert sidecars.routed() > before


def test_chromium_shows_the_page_by_sidecars_in_front_and_behind(sidecars):
    shown = browse(sidecars, f"http://127.0.0.1:{SIDECAR}/")
    assert envoys.WORDS in shown.stdout, shown.stderr
    assert sidecars.workload.stat("http.in.downstream_rq_2xx") > 0


@pytest.fixture(scope="module")
def refused(scene, tap):
    """Chromium's result when it asks the gateway itself for the page."""
    return browse(scene, f"https://{PAGE}/", f"--host-resolver-rules=MAP {PAGE} 127.0.0.1:{TAP}")


def test_chromium_alone_is_refused_by_alert_120(scene, tap, refused):
    assert refused.stdout.strip() == ""
    assert "net::ERR_SSL_PROTOCOL_ERROR" in refused.stderr
    assert tap.connections
    for asked, answered in tap.connections:
        assert answered == hello.alert(120)
        assert PAGE.encode() in asked
        assert b"\x02h2\x08http/1.1" in asked
    reasons = {(refusal["reason"], refusal["alert"], refusal["sni"])
               for refusal in scene.refusals()}
    assert ("no_mesh_alpn", 120, PAGE) in reasons


def number(flight, at, size=2):
    return int.from_bytes(flight[at:at + size], "big")


def with_protocol(flight, name):
    """This ClientHello, of one record, with one more protocol at the head of its ALPN list."""
    extensions = 43 + 1 + flight[43]
    extensions += 2 + number(flight, extensions)
    extensions += 1 + flight[extensions]
    alpn = extensions + 2
    while number(flight, alpn) != 16:
        alpn += 4 + number(flight, alpn + 2)
    one = bytes([len(name)]) + name.encode()
    for at, size in ((3, 2), (6, 3), (extensions, 2), (alpn + 2, 2), (alpn + 4, 2)):
        value = number(flight, at, size) + len(one)
        flight = flight[:at] + value.to_bytes(size, "big") + flight[at + size:]
    return flight[:alpn + 6] + one + flight[alpn + 6:]


def test_chromiums_hello_with_a_protocol_of_the_mesh_is_answered_by_the_server(
        sidecars, tap, refused):
    """However it is cut. 1.8 KB with a post-quantum key share, GREASE and an encrypted hello; the
    server, which nobody has told of the change yet, answers with its own hello."""
    asked = tap.connections[0][0]
    assert MLKEM in asked
    flight = with_protocol(asked, "istio")
    assert len(flight) > 1500
    for cut in range(1, len(flight), 61):
        with http.connect(sidecars.client, *GATEWAY) as client:
            client.sendall(flight[:cut])
            client.sendall(flight[cut:])
            answer = client.recv(6)
            assert (answer[0], answer[5:]) == (22, b"\x02")


def test_envoy_as_a_balancer_tells_who_the_client_is(scene):
    """Its PROXY v2 header is believed and taken off; the server is reached, refusals name the
    client itself."""
    host = scene.lab.host("balancer", scene.lab.wan, BALANCER_IP)
    envoys.balancer(host, BALANCER_IP, 443, GATEWAY)
    scene.serve_go()
    done = scene.run(parts.real("gotls"), "call", "-address", f"{BALANCER_IP}:443", "-name",
                     NAMES["go"], "-roots", scene.roots, "-bytes", "1000000", timeout=20)
    assert done.returncode == 0, done.stderr
    outcome = tls.handshake(scene.client, BALANCER_IP, 443, "nobody.example")
    assert outcome.error == "alert 112"
    refusal = scene.refusals()[0]
    assert refusal["sni"] == "nobody.example"
    assert refusal["client"].startswith(f"{CLIENT_IP}:")
