"""How hard hypothesis looks: profile ``dev`` on every run, ``long`` by ``HYPOTHESIS_PROFILE=long`` before a release.

``HYPOTHESIS_EXAMPLES`` gives another number of examples, for a run of a given length; ``--hypothesis-seed`` repeats one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
EXAMPLES = {"dev": 14, "long": 2000}
STEPS = {"dev": 30, "long": 100}
TIMEOUTS = {"dev": 600, "long": 7200}  # a failure is worth the minutes that it takes to find its smallest example

for name, examples in EXAMPLES.items():
    settings.register_profile(
        name,
        max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", examples)),
        stateful_step_count=STEPS[name],
        deadline=None,  # a cold compile shares two cores with other suites
        derandomize=os.environ.get("CI", "").lower() in {"1", "true"},
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a mesh is a large example
    )

settings.load_profile(PROFILE)  # before the modules are imported: ``given`` reads the profile there


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder the time that they need."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(TIMEOUTS.get(PROFILE, TIMEOUTS["long"])))
