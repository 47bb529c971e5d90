"""The settings of an installation."""

from __future__ import annotations

import pytest

from meshctl_operator.injector.settings import InjectorSettings, LabelSelector, matches_expression

LABELS = {"app": "x", "tier": "db"}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        (("app", "In", ("x", "y")), True),
        (("app", "In", ("y",)), False),
        (("other", "In", ("y",)), False),
        (("app", "NotIn", ("x",)), False),
        (("other", "NotIn", ("x",)), True),
        (("app", "Exists", ()), True),
        (("other", "Exists", ()), False),
        (("app", "DoesNotExist", ()), False),
        (("other", "DoesNotExist", ()), True),
        (("app", "Near", ("x",)), False),
    ],
)
def test_expressions(expression: tuple[str, str, tuple[str, ...]], *, met: bool) -> None:
    """Those of Kubernetes; an operator that nobody knows is met by nothing."""
    assert matches_expression(expression, LABELS) is met


def test_selectors() -> None:
    """All parts have to be met, and one without parts selects nothing."""
    assert LabelSelector({"app": "x"}, (("tier", "Exists", ()),)).matches(LABELS)
    assert not LabelSelector({"app": "x"}, (("tier", "DoesNotExist", ()),)).matches(LABELS)
    assert not LabelSelector().matches(LABELS)


def test_defaults() -> None:
    """The resources of Istio's proxies."""
    assert InjectorSettings().resources.memory_limit == "1Gi"
