"""Format strings, held against what the oldest and the newest supported Envoy said about each."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.plan.route_formats import format_problem


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain text",
        "a\tb",
        "100%%",
        "%PROTOCOL%",
        "%PROTOCOL()%",
        "%REQ(x-id)%",
        "%REQ(:path)%",
        "%REQ(a?b):5%",
        "%START_TIME%",
        "%START_TIME(%Y/%m)%",
        '%DYNAMIC_METADATA(["a","b"])%',
        "%FILTER_STATE(a:PLAIN):3%",
        "%METADATA(ROUTE:a:b)%",
        "%PATH(WQ:ORIG)%",
        "%UPSTREAM_METADATA(a)%",
        "a %REQ(x)% b %RESPONSE_CODE% c",
    ],
)
def test_accepted(text: str) -> None:
    """What every supported Envoy loads is accepted."""
    assert format_problem(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "100%",
        "a%b",
        "%FOO%",
        "%protocol%",
        "%PROTOCOL",
        "%PROTOCOL(x)%",
        "%PROTOCOL:3%",
        "%REQ%",
        "%REQ()%",
        "%REQ(a b)%",
        "%REQ(a?b?c)%",
        "%FILTER_STATE(a:FOO)%",
        "%METADATA(FOO:a)%",
        "%START_TIME(%s):4%",
        "%UPSTREAM_METADATA(a):3%",
        "%SPAN_ID%",
        "%CEL(x)%",
        "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT(x)%",
        "%% %FOO%",
        "a\nb",
        "x" * 16385,
    ],
)
def test_refused(text: str) -> None:
    """What some supported Envoy refuses is refused, since it would cost the whole route configuration."""
    assert format_problem(text) is not None
