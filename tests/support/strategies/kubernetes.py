"""Documents of Kubernetes kinds: Services, their endpoints, Pods, Nodes, Deployments and Secrets."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.key_pairs import key_pair
from tests.support.strategies.alphabet import (
    ADDRESSES,
    CREDENTIALS,
    POD_ADDRESSES,
    SERVICE_NAMES,
    JsonObject,
    JsonStrategy,
    app_labels,
    documents,
    few,
    ports,
    some,
)

PORT_NAMES = ("http", "http-admin", "tcp-db", "grpc", "https", "", "mongo")
WORKLOAD_NAMES = ("cart-1", "pay-1")
NODES = ("node-1", "node-2")
LOCALITIES = ("region1/zone1", "region1/zone2", "region2")


@st.composite
def _service_ports(draw: st.DrawFn) -> list[JsonObject]:
    """Draw ports with different numbers and names."""
    numbers = draw(st.lists(ports, min_size=1, max_size=3, unique=True))
    names = draw(st.lists(st.sampled_from(PORT_NAMES), min_size=len(numbers), max_size=len(numbers), unique=True))
    extra = some({"targetPort": st.sampled_from((8080, 9090, "web")), "appProtocol": st.sampled_from(("http", "tcp", "https"))}, most=1)
    return [{"name": name, "port": number, **draw(extra)} for number, name in zip(numbers, names, strict=True)]


def _service_spec() -> JsonStrategy:
    plain = {
        "clusterIP": st.sampled_from((*ADDRESSES, *ADDRESSES, "None")),
        "ports": _service_ports(),
        "selector": app_labels,
    }
    optional = some({"publishNotReadyAddresses": st.booleans(), "internalTrafficPolicy": st.sampled_from(("Cluster", "Local"))}, most=1)
    external = st.fixed_dictionaries(
        {"type": st.just("ExternalName"), "externalName": st.just("api.example.com"), "ports": _service_ports()}
    )
    usual = st.builds(lambda spec, extra: spec | extra, st.fixed_dictionaries(plain), optional)
    return st.one_of(usual, usual, usual, external)


def _exported() -> JsonStrategy:
    """Draw metadata of a Service: sometimes with the annotation that hides it."""
    hidden = st.fixed_dictionaries(
        {"annotations": st.fixed_dictionaries({"networking.istio.io/exportTo": st.sampled_from((".", "~", "shop"))})}
    )
    return st.one_of(st.just({}), st.just({}), hidden)


def services() -> JsonStrategy:
    """Draw a Service."""
    return documents("v1", "Service", st.sampled_from(SERVICE_NAMES), st.fixed_dictionaries({"spec": _service_spec()}), _exported())


def gateway_service() -> JsonObject:
    """Return the Service that leads to the ingress gateway."""
    ports = [{"name": "http2", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]
    spec = {"clusterIP": "10.96.1.1", "selector": {"istio": "ingressgateway"}, "ports": ports}
    meta = {"name": "istio-ingressgateway", "namespace": "istio-system"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def endpoint_slices() -> JsonStrategy:
    """Draw an EndpointSlice of one of the services."""
    flags = st.sampled_from((None, True, False))
    conditions = st.fixed_dictionaries({"ready": flags, "terminating": flags})
    reference = st.sampled_from([{"kind": "Pod", "name": name} for name in WORKLOAD_NAMES])
    endpoint = st.builds(
        lambda fixed, extra: fixed | extra,
        st.fixed_dictionaries({"addresses": st.sampled_from([[address] for address in POD_ADDRESSES])}),
        some(
            {
                "conditions": conditions,
                "targetRef": reference,
                "zone": st.sampled_from(("zone1", "zone2")),
                "nodeName": st.sampled_from(NODES),
            }
        ),
    )
    slice_port = st.fixed_dictionaries({"name": st.sampled_from(PORT_NAMES), "port": st.sampled_from((8080, 9090))})
    body = st.fixed_dictionaries(
        {"addressType": st.just("IPv4"), "endpoints": few(endpoint, most=3), "ports": few(slice_port, least=1, most=3)}
    )
    labels = st.fixed_dictionaries({"labels": st.sampled_from([{"kubernetes.io/service-name": name} for name in SERVICE_NAMES])})
    return documents("discovery.k8s.io/v1", "EndpointSlice", st.sampled_from(("slice-1", "slice-2")), body, labels)


def whole_endpoints() -> JsonStrategy:
    """Draw an Endpoints object, the predecessor of EndpointSlices, of one of the services."""
    addresses = few(st.sampled_from([{"ip": address} for address in POD_ADDRESSES]), most=2)
    listed = few(st.fixed_dictionaries({"name": st.sampled_from(PORT_NAMES), "port": st.sampled_from((8080, 9090))}), least=1)
    subset = st.fixed_dictionaries({"addresses": addresses, "notReadyAddresses": addresses, "ports": listed})
    return documents("v1", "Endpoints", st.sampled_from(SERVICE_NAMES), st.fixed_dictionaries({"subsets": few(subset)}))


@st.composite
def nodes(draw: st.DrawFn) -> JsonObject:
    """Draw a Node, which is in no namespace, with or without the labels that say where it stands."""
    places: tuple[dict[str, str], ...] = (
        {},
        {"region": "region1", "zone": "zone1"},
        {"region": "region1", "zone": "zone2"},
        {"region": "region2"},
    )
    labels = {f"topology.kubernetes.io/{name}": value for name, value in draw(st.sampled_from(places)).items()}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": draw(st.sampled_from(NODES)), "labels": labels}}


def _pod_spec() -> JsonStrategy:
    container = st.fixed_dictionaries(
        {"name": st.just("app"), "ports": few(st.sampled_from(({"name": "web", "containerPort": 8080}, {"containerPort": 9090})))}
    )
    return some(
        {
            "containers": few(container, least=1, most=1),
            "serviceAccountName": st.sampled_from(("cart", "pay")),
            "nodeName": st.sampled_from(NODES),
            "hostNetwork": st.just(value=True),
        },
        most=2,
    )


def pods() -> JsonStrategy:
    """Draw a Pod."""
    status = st.sampled_from([{"phase": phase, "podIP": address} for phase in ("Running", "Succeeded") for address in POD_ADDRESSES])
    body = st.fixed_dictionaries({"spec": _pod_spec(), "status": status})
    return documents("v1", "Pod", st.sampled_from(WORKLOAD_NAMES), body, _labels())


def deployments() -> JsonStrategy:
    """Draw a Deployment."""
    template = st.fixed_dictionaries({"metadata": _labels(), "spec": _pod_spec()})
    return documents(
        "apps/v1",
        "Deployment",
        st.sampled_from(("cart", "pay", *WORKLOAD_NAMES)),
        st.fixed_dictionaries({"spec": st.fixed_dictionaries({"template": template})}),
    )


def secrets() -> JsonStrategy:
    """Draw a Secret: a key pair, another one, half of one, or none at all."""
    body = st.fixed_dictionaries({"type": st.just("kubernetes.io/tls"), "stringData": _key_material()})
    mostly = st.sampled_from(("istio-system", "istio-system", "istio-system", "default"))  # gateways look in their own namespace
    return documents("v1", "Secret", st.sampled_from(CREDENTIALS), body, st.fixed_dictionaries({"namespace": mostly}))


def _key_material() -> SearchStrategy[dict[str, str]]:
    return st.sampled_from((0, 0, 1, 1, 2, 3)).map(lambda number: dict(_material()[number]))


@cache
def _material() -> tuple[dict[str, str], ...]:
    """Return contents of Secrets; two of them hold a key pair that belongs together, and an authority."""
    (certificate, key), (other, other_key) = ((chain.decode(), private.decode()) for chain, private in (key_pair(), key_pair(serial=2)))
    return (
        {"tls.crt": certificate, "tls.key": key, "ca.crt": other},
        {"cert": other, "key": other_key, "cacert": certificate},
        {"tls.crt": certificate},
        {"tls.crt": "no certificate", "tls.key": key},
    )


def _labels() -> JsonStrategy:
    return st.fixed_dictionaries({"labels": app_labels})
