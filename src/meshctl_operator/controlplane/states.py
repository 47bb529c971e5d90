"""What streams serve, profile by profile: proxies of one profile share one state, and a type that does not differ keeps its mapping."""

from __future__ import annotations

from dataclasses import dataclass

from meshctl_operator.compiler.compiler import Profile
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import Resources, ViewState


@dataclass(slots=True)
class _Entry:
    compiled: CompiledProxy
    state: ViewState
    asked_at: int


class StateTable:
    """The newest state of each profile. With ``split`` it has its route configurations in both forms (``xds.state``)."""

    def __init__(self, *, split: bool = True) -> None:
        self._split = split
        self._entries: dict[Profile, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def state(self, revision: int, profile: Profile, compiled: CompiledProxy) -> ViewState:
        """Return the state of a profile; the earlier one where nothing differs that is served."""
        entry = self._entries.get(profile)
        if entry is None:
            entry = self._entries[profile] = _Entry(compiled, self._state(revision, compiled, None), revision)
        elif entry.compiled is not compiled:
            entry.compiled, entry.state = compiled, self._state(revision, compiled, entry.state)
        entry.asked_at = revision
        return entry.state

    def forget(self, before: int) -> None:
        """Drop the profiles that nobody asked for since a revision."""
        self._entries = {profile: entry for profile, entry in self._entries.items() if entry.asked_at >= before}

    def _state(self, revision: int, compiled: CompiledProxy, before: ViewState | None) -> ViewState:
        state = ViewState(revision, compiled.split, lambda: compiled.resources) if self._split else ViewState(revision, compiled.resources)
        if before is not None and all(_alike(before.of(type_url), state.of(type_url)) for type_url in TypeUrl):
            return before
        return state


def _alike(old: Resources, new: Resources) -> bool:
    return old is new or not (old or new)
