"""The envelope of config objects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject, LenientModel, ObjectMeta, ObjectStatus, StrictModel, oldest_first
from meshctl_operator.base.objects import ObjectKey


class Strict(StrictModel):
    """A message with one field."""

    some_field: int = 0


class Lenient(LenientModel):
    """A view with one field."""

    some_field: int = 0


def test_strict_and_lenient() -> None:
    """Our kinds refuse unknown fields, views ignore them; both read camelCase and snake_case."""
    assert Strict.model_validate({"someField": 1}) == Strict(some_field=1)
    assert Lenient.model_validate({"some_field": 1, "other": 2}) == Lenient(some_field=1)
    with pytest.raises(ValidationError):
        Strict.model_validate({"other": 2})


def named(name: str, created: datetime | None, namespace: str = "shop") -> ConfigObject[object]:
    """Return an object with this name and age."""
    meta = ObjectMeta(name=name, namespace=namespace, creation_timestamp=created)
    return ConfigObject[object](key=ObjectKey(Kind.GATEWAY, namespace, name), api_version="v1", meta=meta, spec=None)


def test_oldest_first() -> None:
    """Competing objects are ordered by age, then name, then namespace; an unknown age is the oldest."""
    old, new = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    objects = [named("a", new), named("b", old), named("a", old, "z"), named("a", old), named("z", None)]
    assert [(o.key.name, o.key.namespace) for o in sorted(objects, key=oldest_first)] == [
        ("z", "shop"),
        ("a", "shop"),
        ("a", "z"),
        ("b", "shop"),
        ("a", "shop"),
    ]


def test_kind() -> None:
    """The kind of an object is a closed choice."""
    assert named("a", None).kind is Kind.GATEWAY


def test_status_ignores_times() -> None:
    """Two reports of the same state are equal."""
    first = ObjectStatus.model_validate({"conditions": [{"type": "Healthy", "status": "True", "lastProbeTime": "1"}]})
    second = ObjectStatus.model_validate({"conditions": [{"type": "Healthy", "status": "True", "lastProbeTime": "2"}]})
    assert first == second
