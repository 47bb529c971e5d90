"""Header maps: names in lower case, pseudo headers such as ``:path`` among them, several values of one name in their order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

AUTHORITY: Final = ":authority"
METHOD: Final = ":method"
PATH: Final = ":path"
SCHEME: Final = ":scheme"
FORWARDED_PROTO: Final = "x-forwarded-proto"


@dataclass(frozen=True, slots=True)
class Headers:
    """An immutable header map (Envoy ``HeaderMap``)."""

    entries: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str]]) -> Headers:
        """Return the map of names in any case."""
        return cls(tuple((_name(name), value) for name, value in entries))

    def get(self, name: str) -> str | None:
        """Return all values of a name, joined by commas as Envoy compares them; None where there is none."""
        wanted = _name(name)
        values = [value for own, value in self.entries if own == wanted]
        return ",".join(values) if values else None

    def text(self, name: str) -> str:
        """Return the value of a header, empty where it is missing."""
        return self.get(name) or ""

    def having(self, name: str, value: str) -> Headers:
        """Return the map with one value for a name, in the place of the first there was."""
        wanted, found, entries = _name(name), False, []
        for own, old in self.entries:
            if own != wanted:
                entries.append((own, old))
            elif not found:
                entries.append((own, value))
                found = True
        return Headers(tuple(entries) if found else (*entries, (wanted, value)))

    def adding(self, name: str, value: str) -> Headers:
        """Return the map with one more value of a name."""
        return Headers((*self.entries, (_name(name), value)))

    def without(self, *names: str) -> Headers:
        """Return the map without headers of these names."""
        unwanted = {_name(name) for name in names}
        return Headers(tuple(entry for entry in self.entries if entry[0] not in unwanted))

    @property
    def bare_path(self) -> str:
        """The path without query and fragment, which is what routes are matched with."""
        return self.text(PATH).partition("?")[0].partition("#")[0]


def _name(name: str) -> str:
    lower = name.lower()
    return AUTHORITY if lower == "host" else lower
