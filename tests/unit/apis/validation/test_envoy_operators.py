"""Envoy's command operators."""

from __future__ import annotations

from meshctl_operator.apis.validation import envoy_operators


def test_groups_do_not_overlap() -> None:
    """An operator has no argument, may have one or needs one."""
    plain, optional, required = (
        envoy_operators.PLAIN_OPERATORS,
        envoy_operators.OPTIONAL_OPERATORS,
        envoy_operators.REQUIRED_OPERATORS,
    )
    assert not plain & optional
    assert not plain & required
    assert not optional & required
    assert envoy_operators.LENGTH_OPERATORS <= envoy_operators.COMMAND_OPERATORS == plain | optional | required
