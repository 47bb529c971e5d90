"""TLS that a gateway ends, by real handshakes: every mode, every source of certificates, every check of clients, and rotation."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from meshctl_operator.base.objects import ObjectKey
from tests.support.authorities import authority, digest_of_certificate, digest_of_key
from tests.support.envoy_versions import BINARIES
from tests.support.key_pairs import secret_yaml
from tests.support.real_gateway import RealGateway, free_ports, gateway_yaml, real_gateway, routes_yaml

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

HOST = "a.example.com"
CA = authority()
SERVER = CA.issue(HOST)
CLIENT, REVOKED, STRANGER = CA.issue("client"), CA.issue("revoked"), authority("another").issue("client")
TLS = {"tls__crt": SERVER[0], "tls__key": SERVER[1]}


def secret(name: str, data: dict[str, bytes]) -> str:
    """Return a Secret beside the gateway."""
    return secret_yaml(name, "istio-system", **data)


SECRETS = (
    secret("plain", TLS)
    + secret("both", {**TLS, "ca__crt": CA.certificate, "ca__crl": CA.revoke(REVOKED[0])})
    + secret("apart", TLS)
    + secret("apart-cacert", {"cacert": CA.certificate})
    + secret("another", {"ca__crt": authority("another").certificate})
    + secret("stapled", {**TLS, "tls__ocsp-staple": CA.staple(SERVER[0])})
)
ASKS = (ssl.SSLError, ConnectionError)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealGateway]:
    """A gateway of each end of the supported versions."""
    async with real_gateway(tmp_path_factory.mktemp(request.param), BINARIES[request.param](), SECRETS + routes_yaml()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def port(gateway: RealGateway) -> AsyncIterator[int]:
    """A free port; the Gateway that a test makes for it is removed again."""
    yield free_ports(1)[0]
    await gateway.delete(ObjectKey("Gateway", "default", "gw"))


def client(folder: Path, pair: tuple[bytes, bytes] | None = None, *, trusts: bytes = CA.certificate) -> ssl.SSLContext:
    """Return a client that trusts the authority, and shows a certificate if it has one."""
    context = ssl.create_default_context(cadata=trusts.decode())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the certificates of tests have no key identifiers
    if pair is not None:
        path = folder / "client.pem"
        path.write_bytes(pair[0] + pair[1])
        context.load_cert_chain(path)
    return context


def https(port: int, tls: str, *, hosts: str = "['*']", protocol: str = "HTTPS") -> str:
    """Return a server with these TLS settings, in YAML."""
    return f"port: {{number: {port}, name: https, protocol: {protocol}}}, hosts: {hosts}, tls: {{{tls}}}"


async def status(gateway: RealGateway, port: int, context: ssl.SSLContext) -> int | None:
    """Return the status of an answer, or None where the handshake fails or the connection is closed."""
    try:
        return (await gateway.get(port, tls=context, host=HOST)).status
    except ASKS:
        return None


@pytest.mark.parametrize("tls", ["credentialName: plain", "credentialName: 'kubernetes://istio-system/both'", "credentialName: stapled"])
async def test_simple(gateway: RealGateway, port: int, tls: str, tmp_path: Path) -> None:
    """A server shows the certificate of its Secret and asks clients for none."""
    await gateway.apply(gateway_yaml(https(port, f"mode: SIMPLE, {tls}")))
    await gateway.listening(port)
    assert await status(gateway, port, client(tmp_path)) == 200
    assert await status(gateway, port, client(tmp_path, trusts=authority("another").certificate)) is None


MUTUAL = {
    "authority in a Secret of its own": ("MUTUAL, credentialName: apart", (200, None, None, 200)),
    "authority beside the key pair, with revoked certificates": ("MUTUAL, credentialName: both", (200, None, None, None)),
    "named authority": ("MUTUAL, credentialName: plain, caCertCredentialName: another", (None, None, 200, None)),
    "no certificate is required": ("OPTIONAL_MUTUAL, credentialName: apart", (200, 200, None, 200)),
    "names": ("MUTUAL, credentialName: apart, subjectAltNames: [someone, client]", (200, None, None, None)),
    "pin of a certificate": (
        f"MUTUAL, credentialName: apart, verifyCertificateHash: ['{digest_of_certificate(CLIENT[0])}']",
        (200, None, None, None),
    ),
    "pin of a key": (
        f"MUTUAL, credentialName: apart, verifyCertificateSpki: ['{base64.b64encode(digest_of_key(REVOKED[0])).decode()}']",
        (None, None, None, 200),
    ),
    "certificates are not judged": ("MUTUAL, credentialName: apart, insecureSkipVerify: true", (200, None, 200, 200)),
}


@pytest.mark.parametrize(("tls", "expected"), MUTUAL.values(), ids=MUTUAL)
async def test_mutual(gateway: RealGateway, port: int, tls: str, expected: tuple[int | None, ...], tmp_path: Path) -> None:
    """Of a client with a certificate, without one, of another authority, and on the list of revoked ones, those are let in who should."""
    await gateway.apply(gateway_yaml(https(port, f"mode: {tls}")))
    await gateway.listening(port)
    seen = [await status(gateway, port, client(tmp_path, pair)) for pair in (CLIENT, None, STRANGER, REVOKED)]
    assert tuple(seen) == expected


async def test_files(gateway: RealGateway, port: int, tmp_path: Path) -> None:
    """Certificates, authority and revoked certificates from files of the proxy."""
    files = {"cert": SERVER[0], "key": SERVER[1], "ca": CA.certificate, "crl": CA.revoke(REVOKED[0])}
    paths = {name: tmp_path / f"{name}.pem" for name in files}
    for name, content in files.items():
        paths[name].write_bytes(content)
    pair = f"serverCertificate: {paths['cert']}, privateKey: {paths['key']}"
    await gateway.apply(gateway_yaml(https(port, f"mode: MUTUAL, {pair}, caCertificates: {paths['ca']}, caCrl: {paths['crl']}")))
    await gateway.listening(port)
    seen = [await status(gateway, port, client(tmp_path, pair)) for pair in (CLIENT, None, REVOKED)]
    assert seen == [200, None, None]


async def test_versions_suites_and_curves(gateway: RealGateway, port: int, tmp_path: Path) -> None:
    """What is offered is what was asked for: the version, the cipher suite, the curve."""
    suite = "ECDHE-ECDSA-AES256-GCM-SHA384"
    tls = f"mode: SIMPLE, credentialName: plain, maxProtocolVersion: TLSV1_2, cipherSuites: [{suite}, NOPE], ecdhCurves: [P-384, nope]"
    await gateway.apply(gateway_yaml(https(port, tls)))
    await gateway.listening(port)
    _, writer = await gateway.connect(port, tls=client(tmp_path))
    connection = writer.get_extra_info("ssl_object")
    assert (connection.version(), connection.cipher()[0]) == ("TLSv1.2", suite)
    writer.close()
    other = client(tmp_path)
    other.set_ecdh_curve("prime256v1")
    assert await status(gateway, port, other) is None
    modern = client(tmp_path)
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    assert await status(gateway, port, modern) is None


async def test_servers_by_name(gateway: RealGateway, tmp_path: Path) -> None:
    """Servers that share a port are told apart by the name that a client asks for, also where one of them cannot be served."""
    (port,) = free_ports(1)
    good = https(port, "mode: MUTUAL, credentialName: apart", hosts=f"[{HOST}]")
    bad = https(port, "mode: MUTUAL, credentialName: nothing", hosts="[b.example.com]").replace("name: https", "name: other")
    await gateway.apply(gateway_yaml(good, bad))
    await gateway.listening(port)
    assert await status(gateway, port, client(tmp_path, CLIENT)) == 200
    with pytest.raises(ASKS):
        await gateway.get(port, tls=client(tmp_path, CLIENT), host="b.example.com")
    (finding,) = [found for found in gateway.findings() if found.code == "MC2107"]
    assert finding.path == "spec.servers[1].tls.credentialName"
    await gateway.delete(ObjectKey("Gateway", "default", "gw"))


async def test_rotation(gateway: RealGateway, port: int, tmp_path: Path) -> None:
    """A rotated Secret reaches new connections by SDS alone: the listener stays, and so do the connections that are open."""
    await gateway.apply(gateway_yaml(https(port, "mode: MUTUAL, credentialName: apart")))
    await gateway.listening(port)
    reader, writer = await gateway.connect(port, tls=client(tmp_path, CLIENT))
    before = await gateway.envoy.stats("listener_manager.listener_(added|modified|removed|create_failure|in_place_updated)")
    new, other = authority("new"), authority("another")
    certificate, key = new.issue(HOST)
    await gateway.apply(secret_yaml("apart", tls__crt=certificate, tls__key=key) + secret_yaml("apart-cacert", cacert=other.certificate))

    async def rotated() -> bool:
        return await status(gateway, port, client(tmp_path, STRANGER, trusts=new.certificate)) == 200

    await gateway.envoy.wait_until(rotated, "new connections get the new certificate")
    assert await status(gateway, port, client(tmp_path, CLIENT, trusts=new.certificate)) is None
    writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 200")
    writer.close()
    assert await gateway.envoy.stats("listener_manager.listener_(added|modified|removed|create_failure|in_place_updated)") == before
    await gateway.apply(secret("apart", TLS) + secret("apart-cacert", {"cacert": CA.certificate}))


async def test_a_secret_that_appears(gateway: RealGateway, port: int, tmp_path: Path) -> None:
    """A server opens as soon as its Secret is there."""
    await gateway.apply(gateway_yaml(https(port, "mode: SIMPLE, credentialName: later")))
    assert await status(gateway, port, client(tmp_path)) is None
    await gateway.apply(secret("later", TLS))
    await gateway.listening(port)
    assert await status(gateway, port, client(tmp_path)) == 200
    await gateway.delete(ObjectKey("Secret", "istio-system", "later"))
