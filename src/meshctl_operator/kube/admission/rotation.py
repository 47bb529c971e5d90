"""One certificate for all replicas: made by whoever comes first, renewed by whoever sees first that it must be.

No replica serves with a certificate before API servers trust its authority, and the authority of before stays trusted until the next
renewal; so replicas may look at different times, and no request is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.kube.admission.certificates import Material, needs_renewal, new_material
from meshctl_operator.kube.admission.secrets import MaterialStore, TrustStore

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at the Secret and the webhook configuration: somebody may install or change them at any time."""

_ATTEMPTS: Final = 5


class Rotation:
    """Looks after the certificate. ``look`` is called at the start and every ``LOOK_EVERY`` seconds; it blocks while it talks."""

    def __init__(
        self, names: tuple[str, ...], store: MaterialStore, trust: TrustStore, serve: Callable[[Material], None], clock: Clock
    ) -> None:
        """Take the names that the certificate must carry, where it is kept, who must trust it, and who serves with it."""
        self._names = names
        self._store = store
        self._trust = trust
        self._serve = serve
        self._clock = clock
        self._served: Material | None = None

    def look(self) -> bool:
        """Bring everything up to date. Returns whether API servers trust what is served; raises the client's errors."""
        material = self.material()
        trusted = self._trust.trust(material.authorities)
        if material != self._served and (trusted or self._served is None):
            self._serve(material)
            self._served = material
        return trusted

    def material(self) -> Material:
        """Return the certificate that all replicas share, made or renewed if need be."""
        now = self._clock.time()
        for _ in range(_ATTEMPTS):
            stored = self._store.read()
            if stored is None:
                fresh = new_material(self._names, now)
                if self._store.create(fresh):
                    return fresh
            elif stored.material is None or needs_renewal(stored.material, self._names, now):
                fresh = new_material(self._names, now, stored.material)
                if self._store.replace(fresh, stored.version):
                    return fresh
            else:
                return stored.material
        msg = "the Secret of the webhook changes faster than it can be read"
        raise RuntimeError(msg)
