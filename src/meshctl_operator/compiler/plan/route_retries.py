"""Retry policies of rules and of the mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshctl_operator.apis.networking.virtual_service import HttpRetry
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import RetryInput
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.virtual_services import Place

DEFAULT_RETRY: Final = RetryInput(num_retries=2, retry_on="connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes")
"""What holds where neither rule nor mesh says anything (Istio's built-in policy)."""

_STATUS_CODES: Final = "retriable-status-codes"
_MIN_STATUS, _MAX_STATUS = 100, 599
_MIN_BACKOFF_NANOS: Final = 1_000_000  # Envoy counts back-off in milliseconds and refuses none


def plan_retries(retries: HttpRetry, place: Place | None = None, report: Callable[[Diagnostic], None] | None = None) -> RetryInput | None:
    """Return the policy of a rule, or of the mesh (no place then); None where there are no attempts.

    Numbers in ``retryOn`` become retriable status codes. The host that failed is avoided unless ``retryIgnorePreviousHosts`` says no.
    """
    if retries.attempts <= 0:
        return None
    words, codes_found = _conditions(retries.retry_on)
    per_try, backoff = retries.per_try_timeout, retries.backoff
    if per_try is not None and per_try.nanos < 0:
        _refuse(place, report, "perTryTimeout", f"{per_try} is negative; no limit is set")
        per_try = None
    if backoff is not None and backoff.nanos < _MIN_BACKOFF_NANOS:
        _refuse(place, report, "backoff", f"{backoff} is shorter than 1ms; Envoy's own is used")
        backoff = None
    return RetryInput(
        num_retries=retries.attempts,
        retry_on=words if retries.retry_on else DEFAULT_RETRY.retry_on,
        status_codes=codes_found,
        per_try_timeout=per_try,
        back_off=backoff,
        previous_hosts=retries.retry_ignore_previous_hosts is not False,
        previous_priorities=bool(retries.retry_remote_localities),
    )


def default_retries(ctx: Context) -> RetryInput | None:
    """Return the policy of routes that have none of their own: the mesh's, else the built-in one."""
    configured = mesh_config(ctx).default_http_retry_policy
    return DEFAULT_RETRY if configured is None else plan_retries(configured)


def _conditions(text: str) -> tuple[str, tuple[int, ...]]:
    words: list[str] = []
    status_codes: list[int] = []
    for part in (part.strip() for part in text.split(",")):
        if part.isascii() and part.isdigit() and _MIN_STATUS <= int(part) <= _MAX_STATUS:
            status_codes.append(int(part))
        elif part:
            words.append(part)
    if status_codes and _STATUS_CODES not in words:
        words.append(_STATUS_CODES)
    return ",".join(words), tuple(status_codes)


def _refuse(place: Place | None, report: Callable[[Diagnostic], None] | None, field: str, message: str) -> None:
    if place is not None and report is not None:
        report(codes.UNUSABLE_PART.error(place.subject, f"{place.path}.{field}", message))
