"""Emitting actions."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.routes.actions import emit_direct_response, emit_forward, emit_redirect, emit_retry
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    ForwardInput,
    FractionInput,
    HashCookieInput,
    HashHeaderInput,
    HashPolicyInput,
    HashQueryInput,
    HashSourceIpInput,
    HeaderOperationsInput,
    MirrorInput,
    RedirectInput,
    RegexRewriteInput,
    RetryInput,
    WeightedClusterInput,
)
from tests.support.mesh_text import as_json

NONE = {"timeout": "0s", "max_grpc_timeout": "0s"}


def test_plain_forward() -> None:
    """A plain action has a cluster and no time-outs; zero says so to Envoy, whose default is 15 s."""
    assert as_json(emit_forward(ForwardInput("c"))) == {"cluster": "c", **NONE}


def test_inbound_forward() -> None:
    """Time-outs may be left out or bound the whole stream."""
    forward = ForwardInput("c", grpc_timeout=None, stream_duration=Duration(0))
    duration = {"max_stream_duration": "0s", "grpc_timeout_header_max": "0s"}
    assert as_json(emit_forward(forward)) == {"cluster": "c", "timeout": "0s", "max_stream_duration": duration}
    assert as_json(emit_forward(ForwardInput("c", timeout=None, grpc_timeout=None))) == {"cluster": "c"}


def test_weighted_clusters() -> None:
    """Weighted clusters carry their own headers and authority."""
    clusters = (WeightedClusterInput("a", 1), WeightedClusterInput("b", 2, HeaderOperationsInput(request_remove=("x",)), "h"))
    assert as_json(emit_forward(ForwardInput(clusters)))["weighted_clusters"] == {
        "clusters": [
            {"name": "a", "weight": 1},
            {"name": "b", "weight": 2, "request_headers_to_remove": ["x"], "host_rewrite_literal": "h"},
        ]
    }


def test_rewrites() -> None:
    """Path and authority are rewritten independently."""
    prefix = as_json(emit_forward(ForwardInput("c", rewrite="/p", host_rewrite="h")))
    assert (prefix["prefix_rewrite"], prefix["host_rewrite_literal"]) == ("/p", "h")
    regex = as_json(emit_forward(ForwardInput("c", rewrite=RegexRewriteInput("a(.)", r"\1"))))
    assert regex["regex_rewrite"] == {"pattern": {"regex": "a(.)"}, "substitution": r"\1"}


def test_mirror() -> None:
    """Mirrored requests are sent with their own host and unsampled."""
    (policy,) = as_json(emit_forward(ForwardInput("c", mirrors=(MirrorInput("m", FractionInput(5)),))))["request_mirror_policies"]
    assert policy["trace_sampled"] is False
    assert policy["disable_shadow_host_suffix_append"] is True
    assert policy["runtime_fraction"] == {"default_value": {"numerator": 5}}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (HashHeaderInput("x"), {"header": {"header_name": "x"}}),
        (HashQueryInput("q"), {"query_parameter": {"name": "q"}}),
        (HashSourceIpInput(), {"connection_properties": {"source_ip": True}}),
        (HashCookieInput("c"), {"cookie": {"name": "c"}}),
        (
            HashCookieInput("c", "/", Duration(0), (("SameSite", "Lax"),)),
            {"cookie": {"name": "c", "path": "/", "ttl": "0s", "attributes": [{"name": "SameSite", "value": "Lax"}]}},
        ),
    ],
)
def test_hash_policy(policy: HashPolicyInput, expected: dict[str, Any]) -> None:
    """A cookie without ttl is only read; with one it is set, a session cookie for zero."""
    assert as_json(emit_forward(ForwardInput("c", hash_policies=(policy,))))["hash_policy"] == [expected]


def test_retry() -> None:
    """Extensions of a retry policy carry their typed configuration."""
    full = as_json(emit_retry(RetryInput(3, "5xx", (503,), Duration.of(seconds=2), Duration.of(milliseconds=10), previous_priorities=True)))
    assert (full["num_retries"], full["retriable_status_codes"], full["per_try_timeout"]) == (3, [503], "2s")
    assert full["retry_back_off"] == {"base_interval": "0.010s"}
    assert full["retry_priority"]["typed_config"]["update_frequency"] == 2
    plain = as_json(emit_retry(RetryInput(1, "5xx", previous_hosts=False)))
    assert plain == {"num_retries": 1, "retry_on": "5xx", "host_selection_retry_max_attempts": "5"}


def test_redirect() -> None:
    """The path is replaced, as a whole or by its prefix."""
    assert as_json(emit_redirect(RedirectInput())) == {"path_redirect": ""}
    assert as_json(emit_redirect(RedirectInput(prefix_rewrite="/p", host="h", scheme="https", port=8443))) == {
        "prefix_rewrite": "/p",
        "host_redirect": "h",
        "scheme_redirect": "https",
        "port_redirect": 8443,
    }


@pytest.mark.parametrize(
    ("body", "expected"), [(None, {}), ("", {"body": {"inline_string": ""}}), (b"\x00", {"body": {"inline_bytes": "AA=="}})]
)
def test_direct_response(body: str | bytes | None, expected: dict[str, Any]) -> None:
    """A body is text or bytes; an empty one is not the same as none."""
    assert as_json(emit_direct_response(DirectResponseInput(204, body))) == {"status": 204, **expected}
