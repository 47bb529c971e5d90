"""One certificate for all replicas."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from meshctl_operator.kube.admission.certificates import Material, service_names
from meshctl_operator.kube.admission.rotation import Rotation
from meshctl_operator.kube.admission.secrets import StoredMaterial
from tests.support.clocks import ManualClock

NAMES = service_names("meshctl", "mesh")
DAY = 86_400.0


@dataclass
class Cluster:
    """The Secret and the bundle that all replicas see, as an API server keeps them."""

    version: int = 0
    material: Material | None = None
    bundle: str | None = ""
    refuse_writes: int = 0
    writes: list[Material] = field(default_factory=list)

    def read(self) -> StoredMaterial | None:
        """Return the Secret."""
        return StoredMaterial(str(self.version), self.material) if self.version else None

    def create(self, material: Material) -> bool:
        """Make the Secret unless there is one."""
        return self.version == 0 and self._write(material)

    def replace(self, material: Material, version: str) -> bool:
        """Replace that version of the Secret."""
        return version == str(self.version) and self._write(material)

    def _write(self, material: Material) -> bool:
        self.version += 1
        if self.refuse_writes:  # another replica writes at the same time
            self.refuse_writes -= 1
            return False
        self.material = material
        self.writes.append(material)
        return True

    def trust(self, authorities: str) -> bool:
        """Take the bundle, unless the webhook is not installed."""
        if self.bundle is None:
            return False
        self.bundle = authorities
        return True


@dataclass
class Replica:
    """One replica, with what it serves."""

    cluster: Cluster
    clock: ManualClock
    served: list[Material] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rotation = Rotation(NAMES, self.cluster, self.cluster, self.serve, self.clock)

    def serve(self, material: Material) -> None:
        """Serve with a certificate, which has to be trusted by then once the webhook is installed."""
        if self.cluster.bundle is not None:
            assert _first(material.authorities) in self.cluster.bundle
        self.served.append(material)


def _first(pem: str) -> str:
    """Return the newest authority of a bundle."""
    return pem.partition("-----END CERTIFICATE-----")[0]


def replicas(cluster: Cluster) -> tuple[Replica, Replica]:
    """Return two replicas of one cluster, with one clock."""
    clock = ManualClock(1_770_000_000.0)
    return Replica(cluster, clock), Replica(cluster, clock)


def test_all_replicas_serve_one_certificate() -> None:
    """The first makes it, the others find it."""
    cluster = Cluster()
    one, two = replicas(cluster)
    assert one.rotation.look()
    assert two.rotation.look()
    assert one.served == two.served == cluster.writes
    assert len(cluster.writes) == 1


def test_nothing_happens_without_need() -> None:
    """A further look changes nothing, and a bundle that somebody overwrote is put right."""
    cluster = Cluster()
    one, _ = replicas(cluster)
    one.rotation.look()
    trusted = cluster.bundle
    cluster.bundle = "emptied by an installer"
    one.rotation.look()
    assert cluster.bundle == trusted
    assert len(one.served) == 1


def test_rotation_without_a_refused_request() -> None:
    """At every moment what each replica serves is trusted: before, during and after a renewal."""
    cluster = Cluster()
    one, two = replicas(cluster)
    for replica in (one, two):
        replica.rotation.look()
    one.clock.advance(61 * DAY)
    for replica in (two, one, one):
        assert replica.rotation.look()
        for each in (one, two):
            assert _first(each.served[-1].authorities) in (cluster.bundle or "")
    assert [len(replica.served) for replica in (one, two)] == [2, 2]
    assert one.served == two.served == cluster.writes


def test_two_write_at_once() -> None:
    """Who loses a race takes what the other wrote; without an end to that it is an error, and nothing is served."""
    cluster = Cluster()
    one, two = replicas(cluster)
    one.rotation.look()
    one.clock.advance(61 * DAY)
    cluster.refuse_writes = 1
    assert two.rotation.look()
    cluster.refuse_writes = 99
    one.clock.advance(61 * DAY)
    with pytest.raises(RuntimeError):
        one.rotation.look()


def test_a_secret_without_sense_is_replaced() -> None:
    """Whatever an installer or a person left there, a certificate comes of it."""
    cluster = Cluster(version=1, material=None)
    one, _ = replicas(cluster)
    assert one.rotation.look()
    assert cluster.material == one.served[0]


def test_the_webhook_is_installed_later() -> None:
    """The server starts all the same; a new certificate is not served before it can be trusted."""
    cluster = Cluster(bundle=None)
    one, _ = replicas(cluster)
    assert not one.rotation.look()
    assert len(one.served) == 1
    one.clock.advance(61 * DAY)
    assert not one.rotation.look()
    assert len(one.served) == 1
    cluster.bundle = ""
    assert one.rotation.look()
    assert len(one.served) == 2
