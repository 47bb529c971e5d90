"""Tests of the ranges of automatic addresses."""

from __future__ import annotations

from itertools import islice

import pytest

from meshctl_operator.base.automatic_ranges import addresses_at, place_of, places
from meshctl_operator.base.shards import SHARDS


def test_both_families_have_the_same_places() -> None:
    """A host gets the same place in both ranges."""
    assert addresses_at(258) == ("240.240.1.2", "2001:2::102")
    assert {place_of(address) for address in addresses_at(258)} == {258}


@pytest.mark.parametrize("address", ["240.241.0.1", "10.0.0.1", "2001:2::1:0", "::1", "240.240.0.0/16", "a.example.com", ""])
def test_other_addresses_have_no_place(address: str) -> None:
    """Only what is allocated from here is counted."""
    assert place_of(address) is None


def test_places_of_a_shard() -> None:
    """Every place belongs to one shard, and a text decides where the search begins; the ends of the range belong to nobody."""
    for shard in (0, 5, SHARDS - 1):
        found = list(places(shard, "default/a"))
        assert len(found) == len(set(found)) == 65536 // SHARDS - (shard in {0, SHARDS - 1})
        assert {place % SHARDS for place in found} == {shard}
        assert not {0, 65535} & set(found)
    assert list(islice(places(5, "a"), 3)) != list(islice(places(5, "b"), 3))
