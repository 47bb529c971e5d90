"""What proxies are served is what the golden files say."""

from __future__ import annotations

import pytest

from tests.support.golden import GoldenCase, golden_cases


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in golden_cases()])
def test_golden(case: GoldenCase, request: pytest.FixtureRequest) -> None:
    """Every case gives exactly its golden files; a change of output is a change of these files, seen in review."""
    if request.config.getoption("--update-golden"):
        case.update()
    assert case.outputs() == case.committed()


def test_there_are_cases() -> None:
    """The suite does not pass by finding nothing."""
    assert sum(1 for _ in golden_cases()) >= 14
