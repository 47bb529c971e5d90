"""What is held in quarantine survives the process, and a damaged file does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.controlplane.quarantine_store import FILE, QuarantineStore
from meshctl_operator.xds.quarantine import ClientKind, Held, Rejection
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource

KIND = ClientKind("1.40.0", "x")
KEY = b"-----BEGIN PRIVATE KEY-----"


def held(type_url: TypeUrl, instead: XdsResource | None, *needs: XdsResource) -> Held:
    """Return an entry."""
    return Held(Rejection(KIND, type_url, "a", "2"), "no", ("Gateway/shop/a",), "d", instead, needs, attempts=3)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Entries with their last good versions, byte for byte, and what these need."""
    cluster = make_resource(TypeUrl.CLUSTER, "c", b"\x00\xff", "1", eds_name="other")
    entry = held(TypeUrl.LISTENER, make_resource(TypeUrl.LISTENER, "a", b"body", "1"), cluster)
    store = QuarantineStore(tmp_path / "state")
    store.save([entry, held(TypeUrl.CLUSTER, None)])
    loaded, _ = QuarantineStore(tmp_path / "state").load()
    assert loaded == entry
    assert loaded.instead is not None
    assert (loaded.instead.version, loaded.instead.body) == ("1", b"body")
    (need,) = loaded.needs
    assert (need, need.body, need.eds_name) == (cluster, b"\x00\xff", "other")
    store.save([])
    assert store.load() == ()


def test_no_key_lies_on_the_disk(tmp_path: Path) -> None:
    """Secrets are written without their bodies, in a file that only its owner reads."""
    secret = make_resource(TypeUrl.SECRET, "a", KEY, "1")
    store = QuarantineStore(tmp_path)
    store.save([held(TypeUrl.SECRET, secret), held(TypeUrl.LISTENER, make_resource(TypeUrl.LISTENER, "a", b"", "1"), secret)])
    assert [(entry.rejection.type_url, entry.needs) for entry in store.load()] == [(TypeUrl.SECRET, ()), (TypeUrl.LISTENER, ())]
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2, "held": []}', '{"format": 1, "held": [{}]}', '{"format": 1, "held": 7}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told and counts for nothing."""
    (tmp_path / FILE).write_text(text)
    assert QuarantineStore(tmp_path).load() == ()
    assert [record.message for record in caplog.records] == ["quarantine not read"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Serving goes on."""
    (tmp_path / "state").write_text("a file where the folder should be")
    QuarantineStore(tmp_path / "state").save([])
    assert [record.message for record in caplog.records] == ["quarantine not written"]
