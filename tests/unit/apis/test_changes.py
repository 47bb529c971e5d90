"""Sets of changes."""

from __future__ import annotations

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.objects import ObjectKey


def test_an_upsert_has_the_key_of_its_object() -> None:
    """Changes are told apart by key, whatever they are."""
    key = ObjectKey(Kind.GATEWAY, "shop", "a")
    upsert = Upsert(ConfigObject[object](key=key, api_version="v1", meta=ObjectMeta(name="a"), spec=None))
    changes = ChangeSet((upsert, Delete(key)), "test")
    assert {change.key for change in changes.changes} == {key}
    assert changes.synced
