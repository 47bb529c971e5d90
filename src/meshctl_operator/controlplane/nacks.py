"""Rejected responses: each is reported once per proxy, type and version, with the objects that it came from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY
from meshctl_operator.xds.events import NackEvent
from meshctl_operator.xds.rejections import named_in

Origins = Callable[[str], tuple[ObjectKey, ...]]
"""The objects that a resource was computed from, by its name."""

REMEMBERED: Final = 10_000  # rejections that are kept, so that one proxy in a loop cannot fill the memory

log = logging.getLogger("meshctl.controlplane")


def accused(event: NackEvent) -> tuple[str, ...]:
    """Return the resources that a rejection is about: those that Envoy names in its message, else all that were new in the response."""
    sent = sorted(name for name, version in event.changes.items() if version is not None)
    return named_in(event.message, sent) or tuple(sent)


class NackLog:
    """The rejections seen so far."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str, str], None] = {}
        self._findings: dict[tuple[str, str], tuple[Diagnostic, ...]] = {}
        self._told: tuple[Diagnostic, ...] | None = ()

    def note(self, proxy: str, event: NackEvent, origins: Origins) -> tuple[tuple[str, ...], tuple[ObjectKey, ...]]:
        """Log a rejection unless all of it was logged before. Returns the resources and the objects that it is about."""
        names = accused(event)
        objects = tuple(sorted({key for name in names for key in origins(name)}))
        keys = [(proxy, event.type_url.short, name, event.changes[name] or "") for name in names]
        if not keys or any(key not in self._seen for key in keys):
            shown = [str(key) for key in objects]
            facts = {"proxy": proxy, "type": event.type_url.short, "revision": event.revision, "resources": list(names), "objects": shown}
            log.error("nack", extra={**facts, "detail": event.message})
        for key in keys:
            self._seen[key] = None
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        message = f"{event.type_url.short} of {proxy} was rejected: {event.message.strip()}"
        found = tuple(REJECTED_BY_PROXY.error(key, "", message, hint="the proxy keeps its last good configuration") for key in objects)
        for name in names:
            self._findings[proxy, f"{event.type_url.short}/{name}"] = found
        self._told = None
        return names, objects

    def cleared(self, proxy: str, type_name: str, names: Mapping[str, object]) -> None:
        """Note that a proxy accepted resources that it may have rejected before."""
        if self._findings:
            for name in names:
                if self._findings.pop((proxy, f"{type_name}/{name}"), None) is not None:
                    self._told = None

    def quarantined(self, type_name: str, resource: str) -> None:
        """Drop the findings of all proxies about a resource: the quarantine tells them from now on."""
        for key in [key for key in self._findings if key[1] == f"{type_name}/{resource}"]:
            del self._findings[key]
            self._told = None

    def forget(self, proxy: str) -> None:
        """Drop the findings of a proxy that is gone; what was logged stays logged."""
        for key in [key for key in self._findings if key[0] == proxy]:
            del self._findings[key]
            self._told = None

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what proxies reject now; the very tuple returned before if that has not changed."""
        if self._told is None:
            self._told = tuple(finding for found in self._findings.values() for finding in found)
        return self._told
