"""Orders that are part of the output."""

from __future__ import annotations

from meshctl_operator.compiler.ordering import HttpFilterName, http_filter_order


def test_http_filter_order() -> None:
    """Whatever the order in which filters are asked for, a request passes them in one order, the router last."""
    expected = tuple(HttpFilterName)
    asked = [*expected[3:], *expected[:3]]
    assert http_filter_order(asked) == expected
    assert http_filter_order(reversed(asked)) == expected
    assert expected[-1] is HttpFilterName.ROUTER


def test_each_once() -> None:
    """A filter that is asked for twice is there once."""
    assert http_filter_order([HttpFilterName.ROUTER, HttpFilterName.ROUTER]) == (HttpFilterName.ROUTER,)
