"""How hard hypothesis looks: profile ``dev`` on every run, ``long`` by ``HYPOTHESIS_PROFILE=long`` before a release."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

ON_CI = os.environ.get("CI", "").lower() in {"1", "true"}
DEV, LONG = 40, 2000

for name, examples in (("dev", DEV), ("long", LONG)):
    settings.register_profile(
        name,
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,  # a cold compile shares two cores with other suites
        derandomize=ON_CI,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],  # a mesh is a large example
    )


@pytest.fixture(autouse=True, scope="session")
def profile() -> None:
    """Nothing to do: the profile is loaded when tests are collected, before ``given`` reads it."""


settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
