"""The CORS filter."""

from __future__ import annotations

from meshctl_operator.compiler.filters.cors import http_filter, per_route
from meshctl_operator.compiler.inputs.routes import CorsInput, MatchKind, TextMatchInput
from tests.support.mesh_text import as_json


def test_entry_of_the_chain_is_empty() -> None:
    """The chain carries the filter without any policy."""
    config = {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}
    assert as_json(http_filter()) == {"name": "envoy.filters.http.cors", "typed_config": config}


def test_per_route() -> None:
    """A policy is always on; credentials are left open unless said."""
    always = {"filter_enabled": {"default_value": {"numerator": 100}}}
    assert as_json(per_route(CorsInput())) == {**always, "forward_not_matching_preflights": True}
    full = CorsInput(
        (TextMatchInput(MatchKind.EXACT, "o"),), "GET", "a", "b", "60", credentials=False, forward_not_matching_preflights=False
    )
    assert as_json(per_route(full)) == {
        **always,
        "allow_origin_string_match": [{"exact": "o"}],
        "allow_methods": "GET",
        "allow_headers": "a",
        "expose_headers": "b",
        "max_age": "60",
        "allow_credentials": False,
        "forward_not_matching_preflights": False,
    }
