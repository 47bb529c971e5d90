"""The proxy of the pod that a command runs in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.cli.main import main
from meshctl_operator.cli.pod_options import described_pod, pod_proxy

ENVIRONMENT = {"POD_NAME": "gw-1", "POD_NAMESPACE": "edge", "INSTANCE_IPS": "10.1.0.7,fd00::7", "SERVICE_ACCOUNT": "gw"}


def test_everything_is_told_by_the_downward_api() -> None:
    """Name, addresses, service account and labels; ISTIO_META_ variables are metadata, and empty ones are none."""
    environment = {**ENVIRONMENT, "ISTIO_META_NODE_NAME": "node-1", "ISTIO_META_NETWORK": "", "PATH": "/bin"}
    found = described_pod("router", environment, 'app="gw"\nistio="ingressgateway"\n')
    proxy = found.as_proxy()
    assert (proxy.role.value, proxy.id, proxy.ips) == ("router", "gw-1.edge", ("10.1.0.7", "fd00::7"))
    assert (proxy.service_account, dict(proxy.labels)) == ("gw", {"app": "gw", "istio": "ingressgateway"})
    assert found.metadata == {"NODE_NAME": "node-1"}


@pytest.mark.parametrize("name", ["POD_NAME", "POD_NAMESPACE", "INSTANCE_IPS"])
def test_what_is_missing_is_named(name: str) -> None:
    """A pod whose manifest forgot a variable does not start as somebody else."""
    with pytest.raises(SettingsError, match=name):
        described_pod("router", {**ENVIRONMENT, name: ""}, "")


@pytest.mark.parametrize("line", ["app", "app=gw", '="x"', "app=7"])
def test_labels_that_are_none_are_refused(line: str) -> None:
    """The line is shown."""
    with pytest.raises(SettingsError, match="is not key="):
        described_pod("router", ENVIRONMENT, line)


def test_one_way_to_name_a_proxy() -> None:
    """The options exclude each other, and labels are for pods."""
    with pytest.raises(SettingsError, match="excludes"):
        pod_proxy("router", None, "router:a.b", None)
    with pytest.raises(SettingsError, match="is for --pod"):
        pod_proxy(None, "labels")
    assert pod_proxy(None, None, "router:a.b", None) is None


def test_the_bootstrap_of_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is written to the file, and nothing to standard output."""
    for name, value in {**ENVIRONMENT, "ISTIO_META_UNPRIVILEGED_POD": "true"}.items():
        monkeypatch.setenv(name, value)
    labels, written = tmp_path / "labels", tmp_path / "bootstrap.json"
    labels.write_text('app="gw"\n')
    arguments = ["--pod", "router", "--pod-labels", str(labels), "--xds", "meshctl.mesh.svc:15010", "-o", "json", "--write", str(written)]
    assert main(["bootstrap", *arguments]) == 0
    assert capsys.readouterr().out == ""
    node = json.loads(written.read_text())["node"]
    assert node["id"] == "router~10.1.0.7~gw-1.edge~edge.svc.cluster.local"
    assert node["metadata"]["LABELS"] == {"app": "gw"}
    assert node["metadata"]["UNPRIVILEGED_POD"] == "true"


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, with path and reason."""
    assert main(["bootstrap", "--proxy", "router:a.b", "--write", str(tmp_path / "none" / "x")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_labels_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SettingsError, match="nowhere"):
        pod_proxy("router", str(tmp_path / "nowhere"))
