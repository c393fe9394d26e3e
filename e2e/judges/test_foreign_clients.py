# SPDX-License-Identifier: Apache-2.0
"""TLS implementations that know nothing of us, on both sides of the gateway: each client verifies
the server's certificate and name itself, and nobody sees that a gateway is between them."""

import json

import pytest

from lib import parts
from scene import DOOR, GATEWAY_IP, NAMES, PAGE, PORTS, SERVER_IP, STRICT

VERSIONS = ("TLS 1.2", "TLS 1.3")
# one line for servers that answer lines, and with an empty one behind it for those that speak HTTP
LINE = "GET /through/the/gateway HTTP/1.0"


@pytest.fixture(scope="module")
def servers(scene):
    """All three, once for all tests."""
    scene.serve_go("-roots", scene.roots)
    scene.serve_openssl()
    scene.serve_gnutls()
    return scene


# --- clients: (scene, name, roots, TLS version, where) -> the program's result ------------------

def openssl(scene, name, roots, version, where, *more):
    return scene.run(
        parts.tool("openssl"), "s_client", "-connect", "%s:%d" % where, "-servername", name,
        "-verify_hostname", name, "-CAfile", roots, "-verify_return_error", "-alpn", "istio",
        "-brief", "-ign_eof", "-" + version.lower().replace(" ", "").replace(".", "_"), *more,
        input=f"{LINE}\n\nCLOSE\n", timeout=20)


def gnutls(scene, name, roots, version, where, *more):
    return scene.run(
        parts.tool("gnutls-cli"), "--x509cafile", roots, "--alpn", "istio", "--sni-hostname",
        name, "--verify-hostname", name, "--priority",
        "NORMAL:-VERS-ALL:+VERS-" + version.replace(" ", ""), "--port", where[1], *more, where[0],
        input=f"{LINE}\n\n", timeout=20)


def go(scene, name, roots, version, where, *more):
    return scene.run(
        parts.real("gotls"), "call", "-address", "%s:%d" % where, "-name", name, "-roots", roots,
        "-max", version.removeprefix("TLS "), "-line", LINE + "\n", *more, timeout=20)


CLIENTS = {"openssl": openssl, "gnutls": gnutls, "go": go}
GATEWAY = (GATEWAY_IP, DOOR)

# what a client says when chain and name are good, and when the chain is not of its roots
GOOD = {"openssl": "Verification: OK", "gnutls": "The certificate is trusted", "go": ""}
BAD = {"openssl": "certificate verify failed", "gnutls": "issuer is unknown",
       "go": "certificate signed by unknown authority"}
# what a server answers to LINE
ANSWERS = {"openssl": LINE[::-1], "gnutls": "200 OK", "go": '"Protocol":"istio"'}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("server", PORTS)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_verifies_the_server_and_talks_to_it(servers, client, server, version):
    before = servers.routed()
    done = CLIENTS[client](servers, NAMES[server], servers.roots, version, GATEWAY)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert GOOD[client] in said
    assert ANSWERS[server] in done.stdout
    assert servers.routed() == before + 1


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_with_other_roots_refuses_the_server(servers, client):
    done = CLIENTS[client](servers, NAMES["go"], servers.other_roots, "TLS 1.3", GATEWAY)
    assert done.returncode != 0
    assert BAD[client] in done.stdout + done.stderr


@pytest.mark.parametrize("client", CLIENTS)
def test_an_alert_of_the_server_is_the_servers(servers, client):
    """GnuTLS refuses names with an underscore by alert 47, which the gateway would never send for
    this hello."""
    for where in ((SERVER_IP, PORTS["gnutls"]), GATEWAY):
        done = CLIENTS[client](servers, STRICT, servers.roots, "TLS 1.3", where)
        assert done.returncode != 0
        assert "illegal parameter" in (done.stdout + done.stderr).lower()


def asked(done):
    """What Go's server says of each connection."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_go_and_go_agree_on_a_post_quantum_key(servers):
    known, = asked(go(servers, NAMES["go"], servers.roots, "TLS 1.3", GATEWAY))
    assert known == {"Version": "TLS 1.3", "Suite": "TLS_AES_128_GCM_SHA256",
                     "Group": "X25519MLKEM768", "Name": NAMES["go"], "Protocol": "istio",
                     "Peer": "", "Resumed": False, "Retried": False}


def test_a_clients_certificate_arrives(servers):
    chain, key = servers.identity
    for done in (
            go(servers, NAMES["go"], servers.roots, "TLS 1.3", GATEWAY, "-cert", chain, "-key",
               key),
            openssl(servers, NAMES["go"], servers.roots, "TLS 1.2", GATEWAY, "-cert", chain,
                    "-key", key),
            gnutls(servers, NAMES["go"], servers.roots, "TLS 1.3", GATEWAY, "--x509certfile",
                   chain, "--x509keyfile", key)):
        known, = asked(done)
        assert known["Peer"] == "caller"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed(servers, version):
    first, second = asked(go(servers, NAMES["go"], servers.roots, version, GATEWAY, "-twice"))
    assert (first["Resumed"], second["Resumed"]) == (False, True)


def test_a_hello_is_retried_with_another_group(servers):
    """The server knows no group of the client's first key share: a second hello follows."""
    known, = asked(gnutls(
        servers, NAMES["go"], servers.roots, "TLS 1.3", GATEWAY, "--single-key-share",
        "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048:+GROUP-X25519"))
    assert (known["Retried"], known["Group"]) == (True, "X25519")


def test_data_sent_right_behind_the_hello_arrives(servers):
    """0-RTT: the second call's first words go out before the server has said anything."""
    session, early = (servers.client.directory / name for name in ("session", "early"))
    early.write_text(LINE + "\n")

    def call(*more):
        done = servers.run(
            parts.tool("openssl"), "s_client", "-connect", "%s:%d" % GATEWAY, "-servername",
            NAMES["gnutls"], "-CAfile", servers.roots, "-verify_return_error", "-alpn", "istio",
            "-tls1_3", "-ign_eof", *more, input=f"{LINE}\n\n", timeout=20)
        assert "200 OK" in done.stdout, done.stderr
        return done.stdout

    call("-sess_out", session)
    assert "Early data was accepted" in call("-sess_in", session, "-early_data", early)


def test_ten_megabytes_come_back_as_they_went(servers):
    asked(go(servers, NAMES["go"], servers.roots, "TLS 1.3", GATEWAY, "-bytes", "10000000"))


@pytest.mark.parametrize("more", [(), ("--no-alpn",), ("--http1.1",), ("--tlsv1.2",)])
def test_curl_offers_no_protocol_of_the_mesh_and_is_told_so(servers, more):
    """curl can offer h2 and http/1.1 only, so the answer is alert 120, and it says so."""
    before = servers.closed("no_mesh_alpn"), servers.routed()
    done = servers.run(parts.tool("curl"), "-sS", "--cacert", servers.roots, "--connect-to",
                       "%s:443:%s:%d" % (PAGE, *GATEWAY), *more, f"https://{PAGE}/", timeout=20)
    assert done.returncode == 35
    assert "no application protocol" in done.stderr
    assert (servers.closed("no_mesh_alpn"), servers.routed()) == (before[0] + 1, before[1])


UNKNOWN = {"openssl": "unrecognized name", "gnutls": "server name sent was not recognized",
           "go": "unrecognized name"}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_told_that_nobody_has_the_name(servers, client):
    """Alert 112, in each client's words."""
    done = CLIENTS[client](servers, "nobody.example", servers.roots, "TLS 1.3", GATEWAY)
    assert done.returncode != 0
    assert UNKNOWN[client] in (done.stdout + done.stderr).lower()
