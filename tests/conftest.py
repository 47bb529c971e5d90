"""Options and fixtures of all suites."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options to pytest."""
    parser.addoption("--update-golden", action="store_true", help="write what the compiler says now over the golden files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave benchmarks out unless they were asked for with ``-m bench``: they measure and judge nothing in an ordinary run."""
    if "bench" in (config.getoption("-m") or ""):
        return
    benchmarks = [item for item in items if item.get_closest_marker("bench")]
    if benchmarks:
        config.hook.pytest_deselected(items=benchmarks)
        items[:] = [item for item in items if not item.get_closest_marker("bench")]
