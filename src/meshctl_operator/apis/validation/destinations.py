"""Rules that HTTP, TLS and TCP rules share: references to gateways, destinations and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import check_port, is_dns_label, is_fqdn, is_ip, is_wildcard_domain

MESH_GATEWAY: Final = "mesh"
"""The reserved name that stands for all sidecars."""
_MAX_TOTAL_WEIGHT: Final = 2**32 - 1  # Envoy counts the sum of weights in 32 bits


def check_gateway_names(gateways: Sequence[str], path: str, findings: Findings) -> None:
    """Check references to gateways. What stands behind the first entry without a namespace was never checked by Istio: warnings."""
    is_strict = True
    for index, gateway in enumerate(gateways):
        where = f"{path}[{index}]"
        report = findings.error if is_strict else findings.warn
        namespace, slash, name = gateway.partition("/")
        if slash:
            if not is_dns_label(namespace) or not is_dns_label(name):
                report(codes.BAD_VS_GATEWAYS, where, f'"{gateway}" is not namespace/name', hint="both parts are DNS labels")
            continue
        is_strict = False
        if gateway == MESH_GATEWAY:
            continue
        if not is_fqdn(gateway):
            report(codes.BAD_VS_GATEWAYS, where, f'"{gateway}" is not the name of a gateway')
        elif "." in gateway:
            first, _, rest = gateway.partition(".")
            findings.warn(codes.BAD_VS_GATEWAYS, where, "uses the old form name.namespace", hint=f'write "{rest.split(".")[0]}/{first}"')


def check_destination(destination: Destination, path: str, findings: Findings) -> None:
    """Check where traffic goes."""
    if destination.host == "*" or not is_wildcard_domain(destination.host):
        message = "is required" if not destination.host else f'"{destination.host}" is not the host name of a service'
        hint = "make a ServiceEntry for the address and name its host" if is_ip(destination.host) else None
        findings.error(codes.BAD_DESTINATION, f"{path}.host", message, hint=hint)
    if destination.subset and not is_dns_label(destination.subset):
        findings.error(codes.BAD_DESTINATION, f"{path}.subset", f'"{destination.subset}" is not a DNS label')
    if destination.port is not None:
        check_port(destination.port.number, f"{path}.port.number", findings)


def check_weights(weights: Sequence[int], path: str, findings: Findings) -> None:
    """Check the weights of one rule."""
    for index, weight in enumerate(weights):
        if weight < 0:
            findings.error(codes.BAD_WEIGHT, f"{path}[{index}].weight", f"{weight} is negative", hint="weights are 0 or more")
    total = sum(weight for weight in weights if weight > 0)
    if len(weights) > 1 and total == 0 and min(weights) == 0:
        findings.error(codes.BAD_WEIGHT, path, f"{len(weights)} destinations have a total weight of 0", hint="give one of them a weight")
    elif total > _MAX_TOTAL_WEIGHT:
        findings.error(codes.BAD_WEIGHT, path, f"the total weight {total} is too large", hint=f"the most is {_MAX_TOTAL_WEIGHT}")
