"""What the proxies say of one generation of an object, gathered over all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, order=True)
class Rejection:
    """A proxy refused a resource that was computed from the object: its name, the resource, and Envoy's own text."""

    proxy: str
    resource: str
    message: str


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """Who should have one generation of an object, and who has it.

    Attributes:
        generation: the generation of the spec that this is about. What is said of an older one counts for nothing.
        expected: the proxies that should have it: connected to any replica, or lost within their grace.
        acknowledged: those that acknowledged all that was computed from it, and all that that refers to.
        lost: those whose stream is gone while their Pod is ready, or their grace has not ended. They are expected too.
        rejections: what was refused and stays refused.
        complete: whether every ready replica has reported. Until then nothing becomes true, and nothing is taken back.
    """

    generation: int
    expected: frozenset[str] = frozenset()
    acknowledged: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    rejections: tuple[Rejection, ...] = ()
    complete: bool = True

    @property
    def should_have(self) -> frozenset[str]:
        """All proxies that should have the generation; a lost one is among them even where it was not counted as expected."""
        return self.expected | self.lost

    @property
    def have(self) -> frozenset[str]:
        """The proxies that should have it and do."""
        return self.should_have & self.acknowledged

    @property
    def missing(self) -> frozenset[str]:
        """The proxies that should have it and do not."""
        return self.should_have - self.acknowledged


UNHEARD: Final = Acknowledgements(generation=0, complete=False)
"""What is known before anybody has reported."""
