"""Checks that several kinds share: names, ports, durations, labels, addresses, regular expressions, visibility.

Predicates return a truth value; ``check_*`` functions write a finding.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from meshctl_operator.apis.paths import child
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.base.durations import Duration

MAX_PORT: Final = 65535
MAX_REGEX: Final = 1024
_MAX_FQDN: Final = 255
_MAX_LABEL_PREFIX: Final = 253
_MILLISECOND: Final = 1_000_000
_SECOND: Final = 1_000_000_000

_DNS_LABEL: Final = re.compile(r"[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")
_WILDCARD_LABEL: Final = re.compile(r"\*|(?:\*|\*-)?[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?")
_QUALIFIED_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

HTTP_FAMILY: Final = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTP_PROXY"})
TLS_FAMILY: Final = frozenset({"HTTPS", "TLS"})
PROTOCOLS: Final = HTTP_FAMILY | TLS_FAMILY | {"TCP", "MONGO", "REDIS", "MYSQL", "UDP"}


def protocol_of(text: str) -> str | None:
    """Return the protocol in its usual spelling, or None when there is no such protocol."""
    upper = text.upper()
    return upper if upper in PROTOCOLS else None


def is_dns_label(text: str) -> bool:
    """Tell whether the text is one label of a DNS name."""
    return _DNS_LABEL.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def is_fqdn(text: str) -> bool:
    """Tell whether the text is a DNS name, of one label or more, whose last label is no number."""
    return _is_domain(text, wildcard=False)


@lru_cache(maxsize=4096)
def is_wildcard_domain(text: str) -> bool:
    """Tell whether the text is a DNS name whose first label may be ``*`` or start with it."""
    return _is_domain(text, wildcard=True)


def _is_domain(text: str, *, wildcard: bool) -> bool:
    if not 0 < len(text) <= _MAX_FQDN:
        return False
    labels = text.split(".")
    first = labels[0]
    if wildcard and first[:1] == "*":
        if len(first) > len("*") + 62 or not _WILDCARD_LABEL.fullmatch(first):
            return False
        labels = labels[1:]
    if labels and labels[-1] == "":
        labels = labels[:-1]  # the trailing dot of an absolute name
        if not labels and first[:1] != "*":
            return False
    return all(is_dns_label(label) for label in labels) and not (labels and labels[-1].isdigit())


@lru_cache(maxsize=4096)
def is_ip(text: str) -> bool:
    """Tell whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_cidr(text: str) -> bool:
    """Tell whether the text is an address range with a prefix length, such as ``10.0.0.0/8``."""
    address, slash, bits = text.partition("/")
    return bool(slash) and is_ip(address) and bits.isascii() and bits.isdigit() and int(bits) <= ipaddress.ip_address(address).max_prefixlen


def is_unix_address(text: str) -> bool:
    """Tell whether the text names a Unix socket: ``unix:///path`` (no folder) or ``unix://@name``."""
    path = text.removeprefix("unix://")
    return path != text and ((path.startswith("/") and not path.endswith("/")) or (path.startswith("@") and len(path) > 1))


def is_header_name(text: str) -> bool:
    """Tell whether the text is a header name (a token of RFC 7230)."""
    return _TOKEN.fullmatch(text) is not None


def has_control_characters(text: str) -> bool:
    """Tell whether the text holds a character that no header value may hold."""
    return _CONTROL.search(text) is not None


@lru_cache(maxsize=4096)
def regex_problem(pattern: str) -> str | None:
    """Return why RE2 does not take the pattern, or None."""
    if not pattern:
        return "is empty"
    if len(pattern) > MAX_REGEX:
        return f"has {len(pattern)} characters, at most {MAX_REGEX} are allowed"
    import re2  # where it is used: validating objects without patterns does without it

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "cannot be parsed"
        return f"is not RE2: {reason.decode(errors='replace') if isinstance(reason, bytes) else reason}"
    return None


def check_regex(pattern: str, path: str, findings: Findings) -> None:
    """Report a pattern that Envoy would refuse."""
    problem = regex_problem(pattern)
    if problem is not None:
        shown = f'"{pattern}" ' if pattern and len(pattern) <= MAX_REGEX else "the pattern "
        findings.error(codes.BAD_REGEX, path, f"{shown}{problem}")


def check_port(number: int, path: str, findings: Findings) -> None:
    """Report a port outside of 1 to 65535."""
    if not 1 <= number <= MAX_PORT:
        findings.error(codes.BAD_PORT, path, f"{number} is not a port", hint=f"ports lie between 1 and {MAX_PORT}")


def check_period(period: Duration | None, path: str, findings: Findings, *, whole_seconds: bool = False, zero: bool = False) -> None:
    """Report a duration below 1ms or finer than milliseconds (or seconds). None is fine, and with ``zero`` so is 0s."""
    if period is None or (zero and period.nanos == 0):
        return
    if period.nanos < _MILLISECOND:
        findings.error(codes.BAD_PERIOD, path, f"{period} is too short", hint="the least is 1ms")
    elif period.nanos % _MILLISECOND:
        findings.error(codes.BAD_PERIOD, path, f"{period} is finer than milliseconds", hint="give a whole number of milliseconds")
    elif whole_seconds and period.nanos % _SECOND:
        findings.error(codes.BAD_PERIOD, path, f"{period} is finer than seconds", hint="give a whole number of seconds")


def is_label_key(key: str) -> bool:
    """Tell whether the text can be the key of a label: ``name`` or ``dns.prefix/name``."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > _MAX_LABEL_PREFIX or not is_fqdn(prefix)):
        return False
    return _QUALIFIED_NAME.fullmatch(name) is not None


def is_label_value(value: str) -> bool:
    """Tell whether the text can be the value of a label; empty is fine."""
    return not value or _QUALIFIED_NAME.fullmatch(value) is not None


def check_labels(labels: Mapping[str, str], path: str, findings: Findings) -> None:
    """Report keys and values that no label can have."""
    for key, value in labels.items():
        if not is_label_key(key):
            findings.error(codes.BAD_LABELS, child(path, key), f'"{key}" is not the key of a label')
        if not is_label_value(value):
            findings.error(codes.BAD_LABELS, child(path, key), f'"{value}" is not the value of a label')


def check_selector(labels: Mapping[str, str], path: str, findings: Findings, *, max_value: int | None = None) -> None:
    """Report selector labels that can select nothing, and warn of a selector that selects everything."""
    if not labels:
        findings.warn(codes.BAD_SELECTOR, path, "is empty and selects every workload of the namespace")
    for key, value in labels.items():
        where = child(path, key)
        if not key:
            findings.error(codes.BAD_SELECTOR, where, "has an empty key")
        if "*" in key or "*" in value:
            findings.error(
                codes.BAD_SELECTOR, where, f'"{value}": a selector knows no wildcards' if "*" in value else f'"{key}" has a wildcard'
            )
        elif max_value is not None and len(value) > max_value:
            findings.error(codes.BAD_SELECTOR, where, f"has {len(value)} characters, at most {max_value} are allowed")


def check_export_to(export_to: Sequence[str], path: str, findings: Findings, *, none: bool = False) -> None:
    """Report a contradictory ``exportTo``. With ``none`` the single entry ``~`` (nobody) is allowed."""
    own, known = findings.subject.namespace, set[str]()
    for index, entry in enumerate(export_to):
        where = f"{path}[{index}]"
        if entry == "~":
            if not none:
                findings.error(codes.BAD_EXPORT_TO, where, '"~" is not allowed here', hint='use "." to keep it in the namespace')
            elif len(export_to) > 1:
                findings.error(codes.BAD_EXPORT_TO, where, '"~" stands alone or not at all')
        elif entry not in {".", "*"} and not is_dns_label(entry):
            findings.error(codes.BAD_EXPORT_TO, where, f'"{entry}" is not a namespace', hint='use "*", "." or the name of a namespace')
        meaning = own if entry == "." else entry
        if meaning in known:
            findings.error(codes.BAD_EXPORT_TO, where, f'"{entry}" is listed twice')
        known.add(meaning)
    if "*" in known and len(known) > 1:
        findings.error(codes.BAD_EXPORT_TO, path, '"*" stands beside other entries', hint='"*" alone already means everybody')
