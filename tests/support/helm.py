"""Helm for tests: the one of ``KUBEBUILDER_ASSETS``, else built once from source into the cache where the API server is."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support import kube_binaries

CHARTS: Final = Path(__file__).resolve().parents[2] / "deploy" / "charts"
MODULE: Final = "helm.sh/helm/v4"

Values = Mapping[str, object]


class HelmError(AssertionError):
    """Helm refused; carries what it said."""


def cached() -> Path:
    """Return where Helm is, or will be when it is built."""
    assets = Path(os.environ.get(kube_binaries.ASSETS, "")) / "helm"
    if os.environ.get(kube_binaries.ASSETS) and assets.exists():
        return assets
    return kube_binaries.cache_folder().parent / f"helm-{version()}" / "helm"


def can_be_had() -> bool:
    """Tell whether Helm is there or can be built."""
    return cached().exists() or shutil.which("go") is not None


def version() -> str:
    """Return the version that is built, such as ``4.3.0``."""
    return kube_binaries._required("helm", MODULE)


def ensure(tell: Callable[[str], None] = lambda _: None) -> Path:
    """Return Helm, built now if need be. ``tell`` is told before that takes minutes."""
    path = cached()
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent.parent / "helm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            tell(f"building helm {version()}, once: about 4 minutes on 2 cores")
            with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as made:
                flags = f"-s -w -X {MODULE}/internal/version.version=v{version()}"
                kube_binaries._go("helm", Path(made) / "helm", f"{MODULE}/cmd/helm", flags)
                (Path(made) / "helm").replace(path)
    return path


class Helm:
    """Runs Helm with a home of its own.

    Args:
        home: where it keeps caches and values; made if absent.
        kubeconfig: the cluster that it talks to, if any.
    """

    def __init__(self, home: Path, kubeconfig: Path | None = None) -> None:
        self._home = home
        home.mkdir(parents=True, exist_ok=True)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            **{f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(kubeconfig or home / "none"),
        }
        self._binary = ensure()
        self._count = 0

    def run(self, *arguments: str, values: Values | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command; ``values`` become a file. Raises HelmError for a refusal."""
        given = list(arguments)
        if values is not None:
            self._count += 1
            path = self._home / f"values-{self._count}.yaml"
            path.write_text(yaml.safe_dump(dict(values)))
            given += ["--values", str(path)]
        done = subprocess.run([str(self._binary), *given], env=self._environment, check=False, capture_output=True, text=True, timeout=110)
        if check and done.returncode:
            raise HelmError(f"helm {' '.join(given)}: {done.stdout}{done.stderr}")
        return done

    def template(
        self, chart: str, *arguments: str, release: str = "r", namespace: str = "istio-system", values: Values | None = None
    ) -> str:
        """Return what a chart of ours becomes."""
        return self.run("template", release, str(CHARTS / chart), "--namespace", namespace, *arguments, values=values).stdout

    def objects(self, chart: str, *, release: str = "r", namespace: str = "istio-system", values: Values | None = None) -> list[Any]:
        """Return the objects that a chart of ours becomes."""
        return list(documents(self.template(chart, release=release, namespace=namespace, values=values)))


def documents(text: str) -> Iterator[Any]:
    """Yield the documents of a rendered chart that say something."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    yield from (document for document in yaml.load_all(text, Loader=loader) if document)


def chosen(objects: list[Any], kind: str) -> Any:
    """Return the only object of a kind."""
    found = [each for each in objects if each["kind"] == kind]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]
