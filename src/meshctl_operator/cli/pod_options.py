"""The proxy of the pod that a command runs in, as the downward API of Kubernetes tells it: environment, and a file of labels."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.proxy_descriptions import ProxyDescription, read_proxy
from meshctl_operator.sources.files import check_paths, read_text

F = TypeVar("F", bound=Callable[..., Any])

_METADATA: Final = "ISTIO_META_"  # as Istio's images have it, so that pods need not be written anew
_REQUIRED: Final = ("POD_NAME", "POD_NAMESPACE", "INSTANCE_IPS")


def pod_options(command: F) -> F:
    """Add ``--pod`` and ``--pod-labels``."""
    command = click.option("--pod-labels", metavar="FILE", help="With --pod: its labels, as a volume of the downward API has them.")(
        command
    )
    return click.option("--pod", metavar="TYPE", help="The proxy of the pod that this runs in: router or sidecar.")(command)


def pod_proxy(pod: str | None, labels: str | None, *others: str | None) -> ProxyDescription | None:
    """Return the proxy of this pod, or None where it is not asked for. ``others`` are options that name a proxy in another way."""
    if pod is None:
        if labels is not None:
            raise SettingsError("--pod-labels is for --pod", hint="add --pod router")
        return None
    if any(others):
        raise SettingsError("--pod excludes --proxy and --proxy-file", hint="give one of them")
    text: str | Diagnostic = ""
    if labels is not None:
        check_paths([labels])
        text = read_text(Path(labels))
    if isinstance(text, Diagnostic):
        raise SettingsError(str(text))
    return described_pod(pod, os.environ, text)


def described_pod(role: str, environment: Mapping[str, str], labels: str) -> ProxyDescription:
    """Return the proxy that environment and labels (lines of ``key="value"``) describe. Raises SettingsError where something is missing."""
    missing = [name for name in _REQUIRED if not environment.get(name)]
    if missing:
        raise SettingsError(f"--pod: the environment has no {', '.join(missing)}", hint="let the pod set them from the downward API")
    return read_proxy(
        {
            "type": role,
            "name": environment["POD_NAME"],
            "namespace": environment["POD_NAMESPACE"],
            "ips": environment["INSTANCE_IPS"].split(","),
            "service_account": environment.get("SERVICE_ACCOUNT"),
            "labels": dict(_label(line) for line in labels.splitlines() if line.strip()),
            "metadata": {
                name.removeprefix(_METADATA): value for name, value in environment.items() if name.startswith(_METADATA) and value
            },
        }
    )


def _label(line: str) -> tuple[str, str]:
    """Read ``key="value"``; the value is quoted as in Go, which for what a label may hold is as in JSON."""
    name, equals, quoted = line.partition("=")
    try:
        value = json.loads(quoted)
    except ValueError:
        value = None
    if not equals or not name or not isinstance(value, str):
        raise SettingsError(f'--pod-labels: "{line}" is not key="value"', hint="mount metadata.labels as a volume of the downward API")
    return name, value
