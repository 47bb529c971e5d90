"""The API server, etcd and kubectl that the suites run: those of ``KUBEBUILDER_ASSETS``, else built once from source into a cache.

Building takes Go and the module proxy, and some minutes the first time. The versions stand in ``tests/tools/*/go.mod``.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ASSETS: Final = "KUBEBUILDER_ASSETS"
NAMES: Final = ("etcd", "kube-apiserver", "kubectl")
BUILD_TIMEOUT: Final = 1500.0
WAY_OUT: Final = f"install Go 1.26 (it builds them once, in about 5 minutes), or set {ASSETS} to a folder with {', '.join(NAMES)}"

_TOOLS: Final = Path(__file__).resolve().parents[1] / "tools"


@dataclass(frozen=True, slots=True)
class KubeBinaries:
    """Where the three programs are."""

    etcd: Path
    api_server: Path
    kubectl: Path


def find() -> KubeBinaries | None:
    """Return the programs if they are there already."""
    given = os.environ.get(ASSETS)
    folder = Path(given) if given else cache_folder()
    paths = [folder / name for name in NAMES]
    return KubeBinaries(*paths) if all(path.exists() for path in paths) else None


def can_be_had() -> bool:
    """Tell whether the programs are there or can be built."""
    return find() is not None or (not os.environ.get(ASSETS) and shutil.which("go") is not None)


def cache_folder() -> Path:
    """Return the folder of the user's cache for the versions that are built."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshctl-test"
    return cache / f"kube-{kube_version()}-etcd-{_required('etcd', 'go.etcd.io/etcd/server/v3')}"


def kube_version() -> str:
    """Return the version of the API server and kubectl that is built, such as ``1.36.3``."""
    return _required("kube", "k8s.io/kubernetes")


def ensure(tell: Callable[[str], None] = lambda _: None) -> KubeBinaries:
    """Return the programs, built now if need be. ``tell`` is told before that takes minutes.

    A lock keeps two runs from building at the same time. Raises AssertionError where they cannot be had.
    """
    found = find()
    if found is not None:
        return found
    assert can_be_had(), f"no API server to test with: {WAY_OUT}"
    folder = cache_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "kube.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find()
        if found is None:
            tell(f"building kube-apiserver {kube_version()}, etcd and kubectl, once: about 5 minutes on 2 cores")
            _build(folder)
            found = find()
    assert found is not None, f"the build left nothing in {folder}"
    return found


def _build(folder: Path) -> None:
    """Build all three beside the folder, then move them there, so that it is complete as soon as it exists."""
    version = kube_version()
    major, minor, _ = version.split(".")
    package = "k8s.io/component-base/version"  # without the version, clients refuse the server
    stamps = f"-X {package}.gitVersion=v{version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="kube-build-") as made:
        _go("etcd", Path(made) / "etcd", "go.etcd.io/etcd/server/v3", "-s -w")
        _go("kube", Path(made) / "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", f"-s -w {stamps}")
        _go("kube", Path(made) / "kubectl", "k8s.io/kubernetes/cmd/kubectl", f"-s -w {stamps}")
        folder.mkdir(exist_ok=True)
        for name in NAMES:
            (Path(made) / name).replace(folder / name)


def _go(module: str, output: Path, package: str, flags: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}
    command = ["go", "build", "-o", str(output), "-ldflags", flags, package]
    built = subprocess.run(
        command, cwd=_TOOLS / module, env=environment, check=False, capture_output=True, text=True, timeout=BUILD_TIMEOUT
    )
    assert built.returncode == 0, f"{' '.join(command)} failed:\n{built.stderr[-4000:]}"


def _required(module: str, path: str) -> str:
    """Return the version of a module that ``go.mod`` requires, without its ``v``."""
    text = (_TOOLS / module / "go.mod").read_text()
    found = re.search(rf"^(?:require\s+|\t){re.escape(path)} v(\S+)$", text, re.MULTILINE)
    assert found is not None, f"{module}/go.mod does not require {path}"
    return found[1]


if __name__ == "__main__":
    print(ensure(print))  # noqa: T201  (run by hand to build ahead of the tests)
