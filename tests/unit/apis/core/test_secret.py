"""The view of Secret."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from meshctl_operator.apis.core.secret import REDACTED, SecretBytes, SecretSpec


def test_data_is_decoded() -> None:
    """Values under data are base64, also in lines; values under stringData are plain and win."""
    spec = SecretSpec.model_validate({"type": "kubernetes.io/tls", "data": {"a": "YWI=", "b": "YWI\n=\n"}, "stringData": {"b": "plain"}})
    assert {key: value.reveal() for key, value in spec.data.items()} == {"a": b"ab", "b": b"plain"}


def test_values_do_not_show() -> None:
    """Neither repr, str, format nor a dump shows a value."""
    value = SecretBytes(b"sentinel")
    spec = SecretSpec.model_validate({"data": {"a": value}})
    for text in (repr(value), str(value), f"{value}", repr(spec), str(spec), str(spec.model_dump()), spec.model_dump_json()):
        assert "sentinel" not in text
    assert repr(value) == REDACTED


def test_values_can_be_compared() -> None:
    """A changed value is seen as a change."""
    assert SecretBytes(b"a") == SecretBytes(b"a")
    assert SecretBytes(b"a") != SecretBytes(b"b")
    assert SecretBytes(b"a") != b"a"
    assert hash(SecretBytes(b"a")) == hash(SecretBytes(b"a"))
    assert not SecretBytes(b"")


@pytest.mark.parametrize("value", ["%", "a", 5, ["a"]])
def test_what_is_no_base64(value: object) -> None:
    """A value that is no base64 is refused without being shown."""
    with pytest.raises(ValidationError):
        SecretSpec.model_validate({"data": {"a": value}})
