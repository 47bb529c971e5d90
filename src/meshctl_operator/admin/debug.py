"""The debug pages as request handlers: find what is asked for, and give way to the loop while a page of a large mesh is made."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from meshctl_operator.admin import pages
from meshctl_operator.admin.refusals import Refusal
from meshctl_operator.base.clock import Clock
from meshctl_operator.controlplane.slices import Slices

if TYPE_CHECKING:
    from meshctl_operator.controlplane.plane import ControlPlane
    from meshctl_operator.controlplane.sessions import ProxySession

Query = Mapping[str, str]
T = TypeVar("T")

MOST_NAMES: Final = 20
"""Names that a hint lists at most."""

_PROXY: Final = ("proxyID", "proxy")  # istiod's name, and the short one
_RESOURCE: Final = "resource"


class DebugPages:
    """What each page shows, by path. The handlers take the query and return plain data."""

    def __init__(self, plane: ControlPlane, clock: Clock) -> None:
        self._plane = plane
        self._clock = clock

    async def syncz(self, query: Query) -> object:
        """Return what each proxy, or the one asked for, has accepted of what it should hold."""
        return await self._rows(self._asked_for(query), pages.sync_status)

    async def connections(self, query: Query) -> object:
        """Return who is connected."""
        now = self._clock.monotonic()
        return await self._rows(self._asked_for(query), lambda session: pages.connection(session, now))

    async def diagnostics(self, query: Query) -> object:
        """Return the findings that hold now."""
        only(query)
        return [finding.to_json() for finding in self._plane.diagnostics()]

    async def quarantine(self, query: Query) -> object:
        """Return what is held back because proxies reject it."""
        only(query)
        now = self._clock.monotonic()
        return [pages.quarantined(held, now) for held in self._plane.quarantined()]

    async def config_dump(self, query: Query) -> object:
        """Return everything that one proxy should hold; route configurations whole, also where they are sent in parts."""
        only(query, *_PROXY)
        if not any(name in query for name in _PROXY):
            known = self._known()
            raise Refusal(400, "which proxy?", hint="add ?proxyID=NAME.NAMESPACE, or the node ID", proxies=known)
        session = next(iter(self._asked_for(query)))
        served = session.served
        if served is None:
            return pages.config_dump(session.proxy_id, None, {})
        return await asyncio.to_thread(pages.config_dump, session.proxy_id, served.state.revision, served.compiled.resources)

    async def graph(self, query: Query) -> object:
        """Return which objects a resource was computed from, and why it was computed last."""
        only(query, _RESOURCE)
        name = query.get(_RESOURCE)
        if not name:
            raise Refusal(400, "which resource?", hint="add ?resource=NAME, for example outbound|9080||reviews.default.svc.cluster.local")
        found = self._plane.graph(name)
        if not found:
            like = sorted(each for each in self._names() if name in each)[:MOST_NAMES]
            raise Refusal(
                404,
                f'no proxy is served a resource named "{name}"',
                hint="names are those of Envoy; in a URL | is %7C and / is %2F. See /debug/config_dump for what a proxy is served",
                like=like,
            )
        return [pages.trace(each, self._plane.sessions) for each in found]

    async def _rows(self, sessions: Iterable[ProxySession], row: Callable[[ProxySession], T]) -> list[T]:
        """Return a row for each stream, in slices."""
        slices, rows = Slices(self._clock), list[T]()
        for session in sessions:
            rows.append(row(session))
            await slices.breathe()
        return rows

    def _asked_for(self, query: Query) -> tuple[ProxySession, ...]:
        """Return the streams of the proxy that is asked for, the newest first; all streams if none is."""
        only(query, *_PROXY)
        wanted = next((query[name] for name in _PROXY if name in query), None)
        sessions = self._plane.sessions
        if wanted is None:
            return sessions
        found = tuple(session for session in reversed(sessions) if wanted in {session.proxy_id, session.node_id})
        if not found:
            known = self._known()
            near = difflib.get_close_matches(wanted, known, 1)
            hint = f"did you mean {near[0]}?" if near else "give NAME.NAMESPACE or the node ID of a proxy that is connected"
            raise Refusal(404, f'proxy "{wanted}" is not connected', hint=hint, proxies=known)
        return found

    def _known(self) -> list[str]:
        return sorted({session.proxy_id for session in self._plane.sessions})[:MOST_NAMES]

    def _names(self) -> set[str]:
        """Return the names of all resources; proxies of one view share their mappings, which are looked at once."""
        mappings = {
            id(resources): resources
            for session in self._plane.sessions
            if session.state is not None
            for resources in session.state.resources.values()
        }
        return {name for resources in mappings.values() for name in resources}


def only(query: Query, *names: str) -> None:
    """Raise Refusal for a parameter that the page does not know: a misspelt one must not be ignored."""
    for name in query:
        if name not in names:
            near = difflib.get_close_matches(name.lower(), [each.lower() for each in names], 1)
            meant = next((each for each in names if near and each.lower() == near[0]), None)
            hint = f"did you mean {meant}?" if meant else f"it takes {' or '.join(names)}" if names else "it takes none"
            raise Refusal(400, f'this page has no parameter "{name}"', hint=hint)
