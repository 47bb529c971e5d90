"""Rules of ``WorkloadEntry``, also for endpoints of a ServiceEntry and for the template of a WorkloadGroup."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import MAX_PORT, check_labels, is_dns_label, is_fqdn, is_ip, is_unix_address

UNIX: Final = "unix://"
_MAX_ADDRESS: Final = 256
_MAX_PORTS: Final = 128
_MAX_PORT_NAME: Final = 62
_MAX_LABELS: Final = 256
_MAX_TEXT: Final = 2048
_MAX_ACCOUNT: Final = 253


def check_workload_entry(spec: WorkloadEntrySpec, findings: Findings) -> None:
    """Check a WorkloadEntry alone."""
    if not spec.address:
        if spec.network:
            findings.warn(codes.BAD_WE_ADDRESS, "spec.address", "is empty: the workload is reached through its network's gateway")
        else:
            findings.error(codes.BAD_WE_ADDRESS, "spec.address", "is required", hint="give an IP address or a DNS name")
    check_workload(spec, "spec", findings)


def check_workload(spec: WorkloadEntrySpec, path: str, findings: Findings) -> None:
    """Check what every workload has in common; an empty address is the caller's business."""
    address = spec.address
    if address.startswith(UNIX):
        if not is_unix_address(address):
            hint = "write unix:///path or unix://@name"
            findings.error(codes.BAD_WE_ADDRESS, f"{path}.address", f'"{address}" is not a Unix socket', hint=hint)
        if spec.ports:
            findings.error(codes.BAD_WE_PORTS, f"{path}.ports", "is not allowed for a Unix socket, which has no ports")
    elif address and not is_ip(address) and not is_fqdn(address):
        message = f'"{address}" is neither an IP address, nor a DNS name, nor a Unix socket'
        findings.error(codes.BAD_WE_ADDRESS, f"{path}.address", message)
    if len(address) > _MAX_ADDRESS:
        findings.error(codes.BAD_WE_ADDRESS, f"{path}.address", f"has {len(address)} characters, at most {_MAX_ADDRESS} are allowed")
    if len(spec.ports) > _MAX_PORTS:
        findings.error(codes.BAD_WE_PORTS, f"{path}.ports", f"has {len(spec.ports)} entries, at most {_MAX_PORTS} are allowed")
    for name, port in spec.ports.items():
        where = child(f"{path}.ports", name)
        if not is_dns_label(name) or len(name) > _MAX_PORT_NAME:
            findings.error(codes.BAD_WE_PORTS, where, f'"{name}" is not the name of a port', hint="it is the name of a service port")
        if not 1 <= port <= MAX_PORT:
            findings.error(codes.BAD_WE_PORTS, where, f"{port} is not a port", hint=f"ports lie between 1 and {MAX_PORT}")
    check_labels(spec.labels, f"{path}.labels", findings)
    if len(spec.labels) > _MAX_LABELS:
        findings.error(codes.BAD_LABELS, f"{path}.labels", f"has {len(spec.labels)} entries, at most {_MAX_LABELS} are allowed")
    for field, text, most in (
        ("network", spec.network, _MAX_TEXT),
        ("locality", spec.locality, _MAX_TEXT),
        ("serviceAccount", spec.service_account, _MAX_ACCOUNT),
    ):
        if len(text) > most:
            findings.error(codes.BAD_NAME, f"{path}.{field}", f"has {len(text)} characters, at most {most} are allowed")
