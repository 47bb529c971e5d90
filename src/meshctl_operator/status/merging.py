"""What several replicas say of one object, put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from meshctl_operator.status.acknowledgements import Acknowledgements


def merged(own: Acknowledgements, others: Iterable[Acknowledgements | None]) -> Acknowledgements:
    """Return what all replicas together say of the generation that ``own`` is about; None is a replica that has not said anything yet.

    A replica that speaks of another generation has not got there: its proxies should have this one, and do not. A proxy that is lost to
    one replica and connected to another is not lost, and has what the connected one acknowledged.
    """
    said = [own]
    complete = own.complete
    for other in others:
        if other is None:
            complete = False
        elif other.generation != own.generation:
            complete = False
            said.append(replace(other, acknowledged=frozenset(), rejections=()))
        else:
            complete &= other.complete
            said.append(other)
    if len(said) == 1:
        return own if complete is own.complete else replace(own, complete=complete)
    connected = frozenset().union(*(each.should_have - each.lost for each in said))
    lost = frozenset().union(*(each.lost for each in said)) - connected
    have = [each.acknowledged - (each.lost & connected) for each in said]
    missing = frozenset().union(*((each.should_have - each.acknowledged) - (each.lost & connected) for each in said))
    return Acknowledgements(
        generation=own.generation,
        expected=connected | lost,
        acknowledged=frozenset().union(*have) - missing,
        lost=lost,
        rejections=tuple(sorted({rejection for each in said for rejection in each.rejections})),
        complete=complete,
    )
