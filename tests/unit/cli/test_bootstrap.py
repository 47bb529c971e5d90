"""``meshctl bootstrap``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.bootstrap import parse_address
from meshctl_operator.cli.main import main
from tests.support.local_objects import deployment


def test_yaml_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but a proxy is needed; Delta xDS from 127.0.0.1:15010 is the default."""
    assert main(["bootstrap", "--proxy", "router:gw.istio-system"]) == 0
    written = yaml.safe_load(capsys.readouterr().out)
    assert written["node"]["id"] == "router~127.0.0.1~gw.istio-system~istio-system.svc.cluster.local"
    assert written["dynamic_resources"]["ads_config"]["api_type"] == "DELTA_GRPC"
    socket = written["static_resources"]["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    assert socket["socket_address"] == {"address": "127.0.0.1", "port_value": 15010}


def test_json_with_options(capsys: pytest.CaptureFixture[str]) -> None:
    """Variant, control plane and admin port are as asked for."""
    arguments = ["--sotw", "--xds", "istiod.mesh:15999", "--admin-port", "0", "-o", "json"]
    assert main(["bootstrap", "--proxy", "sidecar:a.b", *arguments]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["dynamic_resources"]["ads_config"]["api_type"] == "GRPC"
    assert written["static_resources"]["clusters"][0]["type"] == "STRICT_DNS"
    assert "port_value" not in json.dumps(written["admin"]) or '"port_value": 0' in json.dumps(written["admin"])


def test_workload_among_the_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A Deployment of the name gives labels and service account."""
    (tmp_path / "a.yaml").write_text(deployment("reviews-v1"))
    assert main(["bootstrap", "--proxy", "sidecar:reviews-v1.default", "-f", str(tmp_path)]) == 0
    metadata = yaml.safe_load(capsys.readouterr().out)["node"]["metadata"]
    assert (metadata["LABELS"], metadata["SERVICE_ACCOUNT"]) == ({"app": "reviews"}, "sa")


def test_unknown_workload_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bootstrap is printed all the same; the remark goes to standard error."""
    (tmp_path / "a.yaml").write_text(deployment("reviews-v1"))
    assert main(["bootstrap", "--proxy", "sidecar:reviews-v2.default", "-f", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["node"]["cluster"] == "reviews-v2.default"
    assert "MC4201" in printed.err


def test_metadata_of_a_proxy_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The metadata of a proxy file is merged into the node."""
    path = tmp_path / "proxy.yaml"
    path.write_text("{type: sidecar, metadata: {HTTP_PROXY_PORT: '15007'}}")
    assert main(["bootstrap", "--proxy-file", str(path)]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["node"]["metadata"]["HTTP_PROXY_PORT"] == "15007"


def test_ports_of_a_pod(capsys: pytest.CaptureFixture[str]) -> None:
    """Readiness and metrics are answered where somebody says so: several proxies of one machine would collide."""
    assert main(["bootstrap", "--proxy", "sidecar:x.y"]) == 0
    assert "listeners" not in yaml.safe_load(capsys.readouterr().out)["static_resources"]
    assert main(["bootstrap", "--proxy", "sidecar:x.y", "--status-port", "15021", "--prometheus-port", "15090"]) == 0
    listeners = yaml.safe_load(capsys.readouterr().out)["static_resources"]["listeners"]
    assert [listener["name"] for listener in listeners] == ["0.0.0.0_15090", "0.0.0.0_15021"]


def test_no_proxy_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a proxy there is nothing to write."""
    assert main(["bootstrap"]) == 64
    assert "no proxy is named" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:1", ("127.0.0.1", 1)), ("[::1]:15010", ("::1", 15010)), ("a.b:65535", ("a.b", 65535))]
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """Names, IPv4 and bracketed IPv6 addresses have a port."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["127.0.0.1", ":15010", "a:0", "a:65536", "a:b", ""])
def test_not_an_address(text: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(SettingsError, match="is not HOST:PORT"):
        parse_address(text)
