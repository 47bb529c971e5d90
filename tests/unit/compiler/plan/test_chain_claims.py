"""No two chains of a listener claim the same connections."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.listeners import ChainMatchInput, FilterChainInput, TcpProxyInput
from meshctl_operator.compiler.plan.chain_claims import ChainClaims


def chain(cluster: str = "a", **match: object) -> FilterChainInput:
    """Return a chain to a cluster."""
    return FilterChainInput(TcpProxyInput(cluster, ((cluster, 1),)), ChainMatchInput(**match))  # type: ignore[arg-type]  # fields by name


def test_first_come_first_served() -> None:
    """A chain that claims what is taken gets nothing, and the owner is named."""
    claims = ChainClaims()
    first = chain()
    assert claims.owner(first) is None
    assert claims.take(first) == first
    assert claims.owner(chain("b")) == first
    assert claims.take(chain("b")) is None


def test_server_names_are_cut_down() -> None:
    """Of several server names those that are free remain; case does not matter."""
    claims = ChainClaims()
    claims.take(chain(server_names=("a.com", "*.b.com")))
    cut = claims.take(chain("b", server_names=("A.com", "c.com")))
    assert cut is not None
    assert cut.match.server_names == ("c.com",)
    assert claims.take(chain("c", server_names=("c.com",))) is None


def test_ranges_are_cut_down() -> None:
    """Of several address ranges those that are free remain."""
    claims = ChainClaims()
    claims.take(chain(prefix_ranges=("10.0.0.0/8",)))
    cut = claims.take(chain("b", prefix_ranges=("10.0.0.0/8", "11.0.0.0/8")))
    assert cut is not None
    assert cut.match.prefix_ranges == ("11.0.0.0/8",)
    assert claims.take(chain("c", prefix_ranges=("11.0.0.0/8",))) is None


def test_different_criteria_do_not_collide() -> None:
    """Chains that differ in port, range, name, transport or protocol stand beside each other."""
    claims = ChainClaims()
    for match in (
        {},
        {"destination_port": 1},
        {"prefix_ranges": ("10.0.0.0/8",)},
        {"server_names": ("a.com",)},
        {"transport_protocol": "raw_buffer"},
        {"application_protocols": ("h2c",)},
    ):
        assert claims.take(chain(**match)) is not None, match


def test_shared_application_protocol_collides() -> None:
    """One protocol in common is enough to collide where nothing can be cut."""
    claims = ChainClaims()
    claims.take(chain(application_protocols=("http/1.1", "h2c")))
    assert claims.take(chain("b", application_protocols=("h2c", "http/1.0"))) is None
