"""Configurations from bytes and from JSON."""

from __future__ import annotations

import pytest
from google.protobuf import json_format

from meshctl_operator.simulation.config import config_from_bytes, config_from_json
from tests.support.simulations import http_chain, listener, route_configuration


def test_both_forms_are_the_same() -> None:
    """What was serialised and what was printed give one configuration."""
    one, other = listener(name="l", filter_chains=[http_chain("r")]), route_configuration("r", {"name": "h", "domains": ["*"]})
    shown = [json_format.MessageToDict(message, preserving_proto_field_name=True) for message in (one, other)]
    from_json = config_from_json(shown[:1], shown[1:], ["c"])
    assert from_json == config_from_bytes([one.SerializeToString()], [other.SerializeToString()], ["c"])
    assert from_json.routes["r"] == other


def test_clusters() -> None:
    """Without a list of clusters whatever is named is there."""
    assert config_from_json().knows("c")
    assert not config_from_json(clusters=[]).knows("c")


def test_other_messages_are_refused() -> None:
    """Something that is no listener is not taken for one."""
    with pytest.raises(json_format.ParseError):
        config_from_json([{"nope": 1}])
