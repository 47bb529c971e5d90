"""Real Envoys take what the golden files of services, policies and scopes say, file by file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from google.protobuf.json_format import ParseDict

from meshctl_operator.compiler.emit import resources as _resources  # noqa: F401  (registers the messages that are packed inside others)
from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.secrets import AuthorityInput, KeyPairInput
from meshctl_operator.compiler.plan.secret_names import SecretRole, role_of
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.golden import ROOT
from tests.support.key_pairs import key_pair
from tests.support.memory_discovery import MemoryDiscovery

pytestmark = pytest.mark.envoy

NODE_ID = "sidecar~127.0.0.1~test.default~default.svc.cluster.local"
FILES = "/etc/certs/"
PAGES = sorted(page for area in ("clusters", "fields", "security") for page in ROOT.glob(f"{area}/*/xds.*.yaml"))


def read(page: Path, folder: Path) -> dict[str, list[Any]]:
    """Return a golden page whose certificates of files lie in a folder, where they exist."""
    certificate, private = key_pair()
    for name in ("ca.pem", "client.pem", "server.pem"):
        (folder / name).write_bytes(certificate)
    (folder / "key.pem").write_bytes(private)
    (folder / "crl.pem").write_bytes(revocations())
    pages: dict[str, list[Any]] = yaml.safe_load(page.read_text().replace(FILES, f"{folder}/"))
    return pages


def revocations() -> bytes:
    """Return an empty list of revoked certificates."""
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

    certificate, private = key_pair()
    issuer = x509.load_pem_x509_certificate(certificate).subject
    times = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC))
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(times[0]).next_update(times[1])
    key = load_pem_private_key(private, None)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]  # an elliptic curve key


def resources(page: dict[str, list[Any]]) -> list[XdsResource]:
    """Return the clusters and endpoints of a page, with secrets of the names that they ask for."""
    clusters = [ParseDict(each, cluster_pb2.Cluster()) for each in page["clusters"]]
    endpoints = [ParseDict(each, endpoint_pb2.ClusterLoadAssignment()) for each in page["endpoints"]]
    certificate, private = key_pair()
    secrets = [
        emit_secret(
            AuthorityInput(name, certificate) if role_of(name) is SecretRole.AUTHORITY else KeyPairInput(name, certificate, private)
        )
        for name in page["secrets"]
    ]
    return [
        *(make_resource(TypeUrl.SECRET, each.name, each.SerializeToString(deterministic=True)) for each in secrets),
        *(make_resource(TypeUrl.CLUSTER, each.name, each.SerializeToString(deterministic=True)) for each in clusters),
        *(make_resource(TypeUrl.ENDPOINT, each.cluster_name, each.SerializeToString(deterministic=True)) for each in endpoints),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem.removeprefix('xds.')}")
async def test_envoy_takes_the_clusters(page: Path, tmp_path: Path) -> None:
    """No cluster and no endpoint of a golden file is refused, and each cluster becomes active."""
    served = read(page, tmp_path)
    discovery = MemoryDiscovery(*resources(served))
    server = AdsServer(discovery)
    address = await server.start("127.0.0.1:0")
    try:
        async with EnvoyProcess(ads_bootstrap(address, NODE_ID, ["cds"]), tmp_path, binary=BINARIES["newest"]()) as envoy:
            dump = await envoy.config_dump("resource=dynamic_active_clusters")
    finally:
        await server.stop(0.5)
    assert discovery.nacks == []
    assert sorted(entry["cluster"]["name"] for entry in dump["configs"]) == sorted(each["name"] for each in served["clusters"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}-{page.stem.removeprefix('xds.')}")
def test_envoy_takes_the_listeners(page: Path, tmp_path: Path) -> None:
    """No listener of a golden file is refused."""
    config = ads_bootstrap("127.0.0.1:1", NODE_ID, ["cds"])
    config["static_resources"]["listeners"] = read(page, tmp_path)["listeners"]
    path = tmp_path / "bootstrap.json"
    path.write_text(json.dumps(config))
    command = [str(BINARIES["newest"]()), "--mode", "validate", "-c", str(path), "-l", "error"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
