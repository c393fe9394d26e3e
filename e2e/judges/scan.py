#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All of sslyze's checks of one TLS server, as JSON without what differs from run to run.

    scan.py IP PORT NAME ROOTS [PROTOCOL]       (with the Python of build/parts/judges)

sslyze offers no ALPN protocol, and a mesh's gateway talks to nobody without one. With PROTOCOL its
OpenSSL is told to offer it: the library in it can, only its Python cannot.
"""

import ctypes
import json
import pathlib
import re
import subprocess
import sys

import nassl.legacy_ssl_client
import nassl.ssl_client
import sslyze
from nassl.ssl_client import BaseSslClient
from sslyze.json.json_output import ServerScanResultAsJson

# of a PyObject before the first field of its own, which is the SSL_CTX*
HEAD = object.__basicsize__
# of a moment or of where we connect to; of two names for one suite; of keys for one handshake
FLEETING = {"uuid", "date_scans_started", "date_scans_completed", "server_location",
            "openssl_name", "public_bytes", "x", "y"}


def function(module, name, *arguments):
    """A function of the library inside an extension module, exported or not."""
    symbols = subprocess.run(["nm", module.__file__], capture_output=True, text=True, check=True)
    offset = int(re.search(rf"^(\w+) \w {name}$", symbols.stdout, re.M)[1], 16)
    maps = pathlib.Path("/proc/self/maps").read_text()
    file = re.escape(pathlib.Path(module.__file__).name)
    base = min(int(start, 16) for start in re.findall(rf"^(\w+)-.*/{file}$", maps, re.M))
    return ctypes.CFUNCTYPE(ctypes.c_int, *arguments)(base + offset)


def offer(protocol):
    """From now on each connection of sslyze offers this protocol."""
    setters = {module: function(module, "SSL_CTX_set_alpn_protos", ctypes.c_void_p,
                                ctypes.c_char_p, ctypes.c_uint)
               for module in (nassl.ssl_client._nassl, nassl.legacy_ssl_client._nassl_legacy)}
    wire = bytes([len(protocol)]) + protocol.encode()
    plain = BaseSslClient._init_base_objects

    def init(self, *arguments):
        plain(self, *arguments)
        context = ctypes.c_void_p.from_address(id(self._ssl_ctx) + HEAD)
        assert setters[self._NASSL_MODULE](context, wire, len(wire)) == 0

    BaseSslClient._init_base_objects = init


def scan(address, port, name, roots):
    location = sslyze.ServerNetworkLocation(name, int(port), ip_address=address)
    request = sslyze.ServerScanRequest(
        location, sslyze.ServerNetworkConfiguration(name, network_max_retries=1,
                                                    network_timeout=10),
        scan_commands=set(sslyze.ScanCommand) - {sslyze.ScanCommand.HTTP_HEADERS},
        scan_commands_extra_arguments=sslyze.ScanCommandsExtraArguments(
            certificate_info=sslyze.CertificateInfoExtraArgument(pathlib.Path(roots))))
    scanner = sslyze.Scanner(per_server_concurrent_connections_limit=4)
    scanner.queue_scans([request])
    return next(iter(scanner.get_results()))


def lasting(value):
    """The value without what is fleeting, at any depth."""
    if isinstance(value, dict):
        return {key: lasting(one) for key, one in value.items() if key not in FLEETING}
    if isinstance(value, list):
        return [lasting(one) for one in value]
    return value


def main():
    address, port, name, roots, *protocol = sys.argv[1:]
    if protocol:
        offer(*protocol)
    result = json.loads(ServerScanResultAsJson.model_validate(
        scan(address, port, name, roots)).model_dump_json())
    print(json.dumps(lasting(result), sort_keys=True, indent=1))


if __name__ == "__main__":
    main()
