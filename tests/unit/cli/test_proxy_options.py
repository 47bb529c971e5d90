"""Options that say which proxy is meant and from which files."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from meshctl_operator.apis.changes import Rejected
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.cli.proxy_options import described_proxy, read_inputs, read_mapping, refuse_shared_stdin
from meshctl_operator.model.proxies import ProxyRole

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews}\nspec: {ports: [{name: http, port: 9080}]}\n"
BAD = "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: bad}\nspec:\n  serverz: []\n"


def test_by_flag_or_by_file(tmp_path: Path) -> None:
    """A proxy is named by a flag, or described in YAML or JSON."""
    (tmp_path / "proxy.json").write_text('{"type": "router", "name": "gw"}')
    assert described_proxy("sidecar:a.b", None, "default").role is ProxyRole.SIDECAR
    described = described_proxy(None, str(tmp_path / "proxy.json"), "edge")
    assert (described.role, described.name, described.namespace) == (ProxyRole.ROUTER, "gw", "edge")


@pytest.mark.parametrize(
    ("proxy", "file", "message"),
    [(None, None, "no proxy is named"), ("sidecar:a.b", "x", "exclude each other"), (None, "nowhere", "does not exist")],
)
def test_exactly_one(proxy: str | None, file: str | None, message: str) -> None:
    """None, both, or a missing file are bad usage."""
    with pytest.raises(SettingsError, match=message):
        described_proxy(proxy, file, "default")


def test_a_mistake_names_the_file(tmp_path: Path) -> None:
    """What is wrong in a proxy file is told with its name and the hint."""
    path = tmp_path / "proxy.yaml"
    path.write_text("{type: sidcar}")
    with pytest.raises(SettingsError, match=r"proxy\.yaml: \"sidcar\" is no type") as caught:
        described_proxy(None, str(path), "default")
    assert caught.value.hint == 'did you mean "sidecar"?'


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` is standard input."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"{type: router}")))
    assert read_mapping("-").raw == {"type": "router"}


def test_standard_input_has_one_reader() -> None:
    """Two options that both read it are bad usage: one of them would get nothing."""
    with pytest.raises(SettingsError, match="-f and --proxy-file both read standard input"):
        refuse_shared_stdin(["mesh", "-"], proxy_file="-", mesh_config=None)
    refuse_shared_stdin(["-"], proxy_file="proxy.json", mesh_config=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: 1\n---\nb: 2\n", "holds 2 documents"), ("a: [\n", "MC4001"), ("", "holds 0 documents"), ("x", r"x\.yaml:1: is not a mapping")],
)
def test_one_document(tmp_path: Path, text: str, message: str) -> None:
    """A file of one mapping holds exactly that."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_mapping(str(path))


def test_unreadable(tmp_path: Path) -> None:
    """A file that is no text is told."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_mapping(str(path))


def test_inputs_are_decoded_in_order_with_places(tmp_path: Path) -> None:
    """Good objects, rejected ones and broken documents each keep their place; namespaces are filled in."""
    (tmp_path / "a.yaml").write_text(SERVICE)
    (tmp_path / "b.yaml").write_text(BAD)
    (tmp_path / "c.yaml").write_text("oops: [\n")
    (tmp_path / "d.yaml").write_text("apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\n")
    inputs = read_inputs([str(tmp_path)], "shop")
    assert [change.key for change in inputs.changes] == [ObjectKey("Service", "shop", "reviews"), ObjectKey("Gateway", "shop", "bad")]
    rejected = inputs.changes[1]
    assert isinstance(rejected, Rejected)
    assert [(finding.source, finding.line) for finding in rejected.diagnostics if "serverz" in finding.path] == [
        (str(tmp_path / "b.yaml"), 5)
    ]
    assert [finding.code for finding in inputs.findings] == ["MC4001"]
    assert inputs.rejected


def test_an_object_given_twice_counts_where_it_stands_first(tmp_path: Path) -> None:
    """The second one is reported and not used."""
    (tmp_path / "a.yaml").write_text(SERVICE)
    (tmp_path / "b.yaml").write_text(SERVICE.replace("9080", "1"))
    inputs = read_inputs([str(tmp_path)], "default")
    assert len(inputs.changes) == 1
    assert [finding.code for finding in inputs.findings] == ["MC4006"]
    assert not inputs.rejected


def test_without_validation_nothing_is_rejected(tmp_path: Path) -> None:
    """Invalid objects are kept as far as they can be read."""
    (tmp_path / "b.yaml").write_text(BAD)
    assert not read_inputs([str(tmp_path)], "default", validate=False).rejected
