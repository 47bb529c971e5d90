"""Route configurations joined from bytes, and those whose virtual hosts are resources of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.routes import (
    NO_VIRTUAL_HOST,
    emit_route_configuration,
    emit_split_route_configuration,
    emit_virtual_host,
    frame_virtual_host,
    join_route_configuration,
    rename_virtual_host,
    split_virtual_hosts,
    virtual_host_resource_name,
)
from meshctl_operator.compiler.inputs.routes import (
    CorsInput,
    DirectResponseInput,
    FaultDelayInput,
    FaultInput,
    ForwardInput,
    RedirectInput,
    RetryInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
    WeightedClusterInput,
)
from tests.support.mesh_text import as_json

_ROUTES = st.lists(
    st.sampled_from(
        [
            RouteInput(RouteMatchInput(), ForwardInput("outbound|80||a"), name="default", config="/apis/a", decorator="a:80/*"),
            RouteInput(RouteMatchInput(), RedirectInput(), fault=FaultInput(FaultDelayInput(Duration.of(seconds=1))), cors=CorsInput()),
            RouteInput(
                RouteMatchInput(), ForwardInput((WeightedClusterInput("a", 20), WeightedClusterInput("b", 80)), retry=RetryInput(2, "5xx"))
            ),
            RouteInput(RouteMatchInput(), DirectResponseInput(200, "x" * 300)),
        ]
    ),
    max_size=3,
).map(tuple)
_HOSTS = st.builds(
    VirtualHostInput,
    name=st.sampled_from(["", "a.com:80", "*", "é.com", "x" * 200]),
    domains=st.lists(st.sampled_from(["a.com", "*.b.com", "*"]), max_size=2).map(tuple),
    routes=_ROUTES,
    require_tls=st.booleans(),
    attempt_count=st.booleans(),
)
_CONFIGURATIONS = st.builds(
    RouteConfigurationInput,
    name=st.sampled_from(["80", "https.443.https.gw.ns", "x" * 200]),
    virtual_hosts=st.lists(_HOSTS, max_size=4).map(tuple),
    ignore_port_in_host_matching=st.booleans(),
    max_direct_response_body=st.sampled_from([None, 0, 4096, 1 << 20]),
)


def _body(host: VirtualHostInput) -> bytes:
    body: bytes = emit_virtual_host(host).SerializeToString(deterministic=True)
    return body


@given(_CONFIGURATIONS)
def test_joined_bytes_are_those_of_the_whole_message(route: RouteConfigurationInput) -> None:
    """Whatever the virtual hosts and settings are, joining gives byte for byte what serialising the whole message gives."""
    shell = emit_route_configuration(replace(route, virtual_hosts=())).SerializeToString(deterministic=True)
    joined = join_route_configuration(route.name, shell, [frame_virtual_host(_body(host)) for host in route.virtual_hosts])
    assert joined == emit_route_configuration(route).SerializeToString(deterministic=True)


@given(_HOSTS, st.sampled_from(["", "80/a.com:80", "y" * 300]))
def test_renaming_gives_the_bytes_of_the_renamed(host: VirtualHostInput, name: str) -> None:
    """A virtual host under another name has the bytes that emitting it under that name gives."""
    assert rename_virtual_host(_body(host), host.name, name) == _body(replace(host, name=name))


def test_names_must_be_those_of_the_bytes() -> None:
    """Bytes of something else are a bug of the caller, and never glued together."""
    with pytest.raises(ValueError, match="'b'"):
        rename_virtual_host(_body(VirtualHostInput("a", (), ())), "b", "c")
    with pytest.raises(ValueError, match="'81'"):
        join_route_configuration("81", emit_route_configuration(RouteConfigurationInput("80")).SerializeToString(), [])


def test_the_shell_names_the_source_and_has_no_virtual_host() -> None:
    """A split route configuration keeps its settings, waits for its virtual hosts without limit, and has none itself."""
    host = VirtualHostInput("a", ("*",), ())
    assert as_json(emit_split_route_configuration(RouteConfigurationInput("80", (host,), max_direct_response_body=7))) == {
        "name": "80",
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 7,
        "vhds": {"config_source": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}},
    }


@pytest.mark.parametrize(
    ("route", "host", "name"),
    [
        ("80", "a.com:80", "80/a.com:80"),
        ("https.443.https.gw.ns", "*", "https.443.https.gw.ns/*"),
        ("a/b", "c", "a/b/c"),
        ("80", "a/b", "80/a%2Fb"),
        ("80", "a%2Fb", "80/a%252Fb"),
    ],
)
def test_resource_names(route: str, host: str, name: str) -> None:
    """What stands behind the last slash is the virtual host: a slash in it is escaped, so that different names stay different."""
    assert virtual_host_resource_name(route, host) == name
    assert name.rpartition("/")[0] == route


def test_virtual_hosts_have_the_names_of_their_resources() -> None:
    """Envoy removes a virtual host by the name in its message, which therefore is the name of the resource."""
    host = VirtualHostInput("a", ("a", "b"), (RouteInput(RouteMatchInput(), DirectResponseInput(200)),), require_tls=True)
    assert split_virtual_hosts("80", (host,)) == (replace(host, name="80/a"),)


def test_there_is_always_a_virtual_host() -> None:
    """Envoy waits for the first virtual host, so one that answers nothing stands in for none."""
    (host,) = split_virtual_hosts("80", ())
    assert host == replace(NO_VIRTUAL_HOST, name="80/none")
    assert as_json(emit_virtual_host(host)) == {"name": "80/none", "domains": ["*"], "include_request_attempt_count": True}
