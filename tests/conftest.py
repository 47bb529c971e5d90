"""Options of all suites, and what happens where a machine cannot run one of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support import helm, kube_binaries, netns
from tests.support.envoy_process import ISOLATION

if TYPE_CHECKING:
    from tests.support.api_server import ApiServer

LEFT_OUT = pytest.StashKey[list[str]]()
NETNS_WAY_OUT = "run as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options to pytest."""
    parser.addoption("--update-golden", action="store_true", help="write what the compiler says now over the golden files")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was not asked for (benchmarks) and what this machine cannot do; the second is named in the end, and fails in CI."""
    left_out = config.stash.setdefault(LEFT_OUT, [])
    if "bench" not in (config.getoption("-m") or ""):
        _deselect(config, items, "bench")
    if any(item.get_closest_marker("netns") for item in items) and not _can_isolate():
        reason = f"tests marked netns: no network namespace can be made here; {NETNS_WAY_OUT}"
        if os.environ.get("CI"):
            raise pytest.UsageError(reason)
        left_out.append(f"{_deselect(config, items, 'netns')} {reason}")
    if any(item.get_closest_marker("helm") for item in items) and not helm.can_be_had():
        reason = f"tests marked helm: there is no helm and no Go to build it; {kube_binaries.WAY_OUT}"
        if os.environ.get("CI"):
            raise pytest.UsageError(reason)
        left_out.append(f"{_deselect(config, items, 'helm')} {reason}")
    if any(item.get_closest_marker("apiserver") for item in items) and not kube_binaries.can_be_had():
        reason = f"tests marked apiserver: there is no kube-apiserver and no Go to build it; {kube_binaries.WAY_OUT}"
        if os.environ.get("CI"):
            raise pytest.UsageError(reason)
        left_out.append(f"{_deselect(config, items, 'apiserver')} {reason}")
    if any(item.get_closest_marker("traffic") for item in items) and (way_out := netns.missing()):
        reason = f"tests marked traffic (pods as network namespaces): {way_out}"
        if os.environ.get("CI"):
            raise pytest.UsageError(reason)
        left_out.append(f"{_deselect(config, items, 'traffic')} {reason}")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the API server and Helm before the first test, if one needs them: that takes minutes, and no test may."""
    if session.config.option.collectonly:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    tell = reporter.write_line if reporter is not None else print
    if any(item.get_closest_marker("apiserver") for item in session.items):
        kube_binaries.ensure(tell)
    if any(item.get_closest_marker("helm") for item in session.items):
        helm.ensure(tell)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what was left out and how to enable it."""
    for line in config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line(f"left out: {line}", yellow=True)


def _deselect(config: pytest.Config, items: list[pytest.Item], marker: str) -> int:
    unwanted = [item for item in items if item.get_closest_marker(marker)]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if not item.get_closest_marker(marker)]
    return len(unwanted)


def _can_isolate() -> bool:
    try:
        return subprocess.run([*ISOLATION, "true"], check=False, capture_output=True, timeout=10).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server with the CRDs of all routing kinds, for all tests that leave it as it was."""
    from tests.support.api_server import api_server

    with api_server(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


@pytest.fixture
def server(running_server: ApiServer) -> Iterator[ApiServer]:
    """The API server without objects of ours."""
    running_server.clear()
    yield running_server
    running_server.clear()
