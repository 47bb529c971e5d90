"""ServiceEntries and WorkloadEntries."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.strategies.alphabet import (
    EXTERNAL_HOSTS,
    SERVICE_NAMES,
    JsonObject,
    JsonStrategy,
    app_labels,
    documents,
    export_to,
    few,
    ports,
    some,
)

PROTOCOLS = ("HTTP", "HTTPS", "TCP", "TLS", "GRPC", "HTTP2", "")
LOCALITIES = ("region1/zone1", "region1/zone2", "region2")


@st.composite
def _ports(draw: st.DrawFn) -> list[JsonObject]:
    """Draw ports with different numbers and names."""
    numbers = draw(st.lists(ports, min_size=1, max_size=2, unique=True))
    protocols = st.sampled_from(PROTOCOLS)
    extra = some({"targetPort": st.sampled_from((8080, 9090))}, most=1)
    return [{"number": number, "name": f"p{number}", "protocol": draw(protocols), **draw(extra)} for number in numbers]


def _endpoint(addresses: tuple[str, ...]) -> JsonStrategy:
    optional = some(
        {
            "labels": app_labels,
            "locality": st.sampled_from(LOCALITIES),
            "weight": st.sampled_from((1, 5)),
            "serviceAccount": st.just("cart"),
            "ports": st.just({"p80": 8080}),
        }
    )
    return st.builds(lambda address, extra: {"address": address} | extra, st.sampled_from(addresses), optional)


@st.composite
def _service_entry(draw: st.DrawFn) -> JsonObject:
    """Draw the spec of a ServiceEntry; how its addresses are found decides what else it may have."""
    resolution = draw(st.sampled_from(("NONE", "STATIC", "STATIC", "DNS", "DNS_ROUND_ROBIN")))
    full = [host for host in EXTERNAL_HOSTS if host[0] != "*"]
    spec: JsonObject = {
        "hosts": draw(few(st.sampled_from(EXTERNAL_HOSTS if resolution in {"NONE", "STATIC"} else full), least=1, unique=True)),
        "resolution": resolution,
        "ports": draw(_ports()),
    }
    if resolution == "STATIC" and draw(st.booleans()):
        spec["workloadSelector"] = {"labels": draw(app_labels)}
    elif resolution == "STATIC":
        spec["endpoints"] = draw(few(_endpoint(("10.2.0.1", "10.2.0.2")), least=1))
    elif resolution != "NONE" and draw(st.booleans()):
        spec["endpoints"] = [draw(_endpoint(("10.2.0.1", "backend.example.net")))]
    optional = some(
        {
            "addresses": few(st.sampled_from(("240.240.0.1", "240.240.0.2")), least=1, unique=True),
            "location": st.sampled_from(("MESH_INTERNAL", "MESH_EXTERNAL")),
            "exportTo": export_to,
            "subjectAltNames": st.just(["spiffe://cluster.local/api"]),
        }
    )
    return spec | draw(optional)


def service_entries() -> JsonStrategy:
    """Draw a ServiceEntry; some share their name with a Service."""
    addresses = st.fixed_dictionaries(
        {"addresses": st.sampled_from([[{"value": "240.0.0.5", "host": host}] for host in EXTERNAL_HOSTS[:2]])}
    )
    body = st.builds(lambda spec, status: {"spec": spec} | status, _service_entry(), some({"status": addresses}, most=1))
    return documents("networking.istio.io/v1", "ServiceEntry", st.sampled_from(("entry-1", "entry-2", *SERVICE_NAMES)), body)


def workload_entries() -> JsonStrategy:
    """Draw a WorkloadEntry."""
    status = st.sampled_from([{"conditions": [{"type": "Healthy", "status": value}]} for value in ("True", "False")])
    annotations = st.sampled_from(({}, {"annotations": {"proxy.istio.io/health-checks-enabled": "true"}}))
    body = st.builds(
        lambda spec, extra: {"spec": spec} | extra, _endpoint(("10.2.0.3", "10.2.0.4", "vm.example.net")), some({"status": status}, most=1)
    )
    return documents("networking.istio.io/v1", "WorkloadEntry", st.sampled_from(("vm-1", "vm-2")), body, annotations)
