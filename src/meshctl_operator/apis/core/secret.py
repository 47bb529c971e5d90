"""The view of ``Secret``. Values never show in a repr, a log line or a diagnostic."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, GetCoreSchemaHandler, PlainSerializer, model_validator
from pydantic_core import CoreSchema, core_schema

from meshctl_operator.apis.core.views import FrozenMap, KubernetesView

REDACTED: Final = "<redacted>"


class SecretBytes:
    """Bytes that do not show: equality and hash see the value, ``repr`` and ``str`` do not."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Return the value. Only what writes an SDS message may call this."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, SecretBytes) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return REDACTED

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: type, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_secret_bytes)


def _secret_bytes(value: object) -> SecretBytes:
    """Read base64 as the API server stores it. The message of the error names no part of the value."""
    if isinstance(value, SecretBytes):
        return value
    if not isinstance(value, str):
        msg = "is not base64 text"
        raise ValueError(msg)  # noqa: TRY004  (pydantic turns only ValueError into a finding)
    try:
        return SecretBytes(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, ValueError):
        msg = "is not base64; plain text belongs under stringData"
        raise ValueError(msg) from None


SecretMap = Annotated[FrozenMap[str, SecretBytes], PlainSerializer(lambda value: dict.fromkeys(value, REDACTED))]


class SecretSpec(KubernetesView):
    """The fields of a Secret. ``stringData`` is merged into ``data`` and wins, as it does for the API server."""

    whole_object: ClassVar[bool] = True

    type: str = "Opaque"
    data: SecretMap = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _merge_string_data(cls, value: Any) -> Any:  # noqa: ANN401  (raw input)
        plain = value.get("stringData") if isinstance(value, Mapping) else None
        if not isinstance(plain, Mapping):
            return value
        data = value.get("data")
        texts = {key: SecretBytes(text.encode()) for key, text in plain.items() if isinstance(text, str)}
        return {**value, "data": {**(data if isinstance(data, Mapping) else {}), **texts}}
