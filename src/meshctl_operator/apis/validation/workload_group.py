"""Rules of ``WorkloadGroup``."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.workload_group import ReadinessProbe, WorkloadGroupSpec
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import check_labels, check_port, is_header_name
from meshctl_operator.apis.validation.workload_entry import check_workload

_MAX_ENTRIES: Final = 256


def check_workload_group(spec: WorkloadGroupSpec, findings: Findings) -> None:
    """Check a WorkloadGroup alone."""
    if spec.metadata is not None:
        check_labels(spec.metadata.labels, "spec.metadata.labels", findings)
        for name, entries in (("labels", spec.metadata.labels), ("annotations", spec.metadata.annotations)):
            if len(entries) > _MAX_ENTRIES:
                message = f"has {len(entries)} entries, at most {_MAX_ENTRIES} are allowed"
                findings.error(codes.BAD_GROUP, f"spec.metadata.{name}", message)
    if spec.template is None:
        findings.error(codes.BAD_GROUP, "spec.template", "is required", hint="write template: {} at least")
    else:
        check_workload(spec.template, "spec.template", findings)
    if spec.probe is not None:
        _check_probe(spec.probe, "spec.probe", findings)


def _check_probe(probe: ReadinessProbe, path: str, findings: Findings) -> None:
    if probe.grpc is not None:
        findings.error(codes.BAD_PROBE, f"{path}.grpc", "is not accepted by Istio's admission", hint="use tcpSocket or httpGet")
    elif probe.http_get is None and probe.tcp_socket is None and probe.exec_ is None:
        findings.error(codes.BAD_PROBE, path, "does not say how to probe", hint="add httpGet, tcpSocket or exec")
    for name, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        if value < 0:
            findings.error(codes.BAD_PROBE, f"{path}.{name}", f"{value} is negative")
    if probe.http_get is not None:
        check_port(probe.http_get.port, f"{path}.httpGet.port", findings)
        if probe.http_get.scheme not in {"", "HTTP", "HTTPS"}:
            message = f'"{probe.http_get.scheme}" is neither "HTTP" nor "HTTPS"'
            findings.error(codes.BAD_PROBE, f"{path}.httpGet.scheme", message)
        for index, header in enumerate(probe.http_get.http_headers):
            if not is_header_name(header.name):
                where = f"{path}.httpGet.httpHeaders[{index}].name"
                findings.error(codes.BAD_PROBE, where, f'"{header.name}" is not the name of a header')
    if probe.tcp_socket is not None:
        check_port(probe.tcp_socket.port, f"{path}.tcpSocket.port", findings)
    if probe.exec_ is not None and not probe.exec_.command:
        findings.error(codes.BAD_PROBE, f"{path}.exec.command", "is required")
