"""The door through which objects come in."""

from __future__ import annotations

import functools
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import ROUTING_SPECS, VIEWS, Skipped, decode
from meshctl_operator.apis.kinds import KINDS, NETWORKING_VERSIONS, NOT_ENFORCED, Kind
from meshctl_operator.apis.schema import Node, Shape, node_of
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.objects import ObjectKey
from tests.support.documents import document

ROUTE = {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}


def test_every_kind_has_a_model() -> None:
    """Whatever the table of kinds lists can be decoded."""
    assert set(ROUTING_SPECS) | set(VIEWS) == set(KINDS)


@pytest.mark.parametrize("version", NETWORKING_VERSIONS)
def test_versions_are_alike(version: str) -> None:
    """All served versions of a routing kind have one structure."""
    decoded = decode(document("VirtualService", ROUTE, api_version=f"networking.istio.io/{version}"))
    assert isinstance(decoded, Upsert)
    assert decoded.key == ObjectKey("VirtualService", "shop", "sample")
    assert decoded.object.kind is Kind.VIRTUAL_SERVICE
    assert decoded.object.api_version == f"networking.istio.io/{version}"
    assert decoded.diagnostics == ()


@pytest.mark.parametrize(
    ("api_version", "kind", "path", "hint"),
    [
        ("networking.istio.io/v2", "Gateway", "apiVersion", "use v1, v1beta1, v1alpha3"),
        ("networking.istio.io/v1", "VirtualServce", "kind", 'did you mean "VirtualService"?'),
    ],
)
def test_unknown_version_or_kind_of_istio(api_version: str, kind: str, path: str, hint: str) -> None:
    """A version or kind that Istio's group does not have is an error with a way out."""
    decoded = decode(document(kind, {}, api_version=api_version))
    assert isinstance(decoded, Rejected)
    assert [(d.code, d.path, d.hint) for d in decoded.diagnostics] == [("MC1003", path, hint)]


@pytest.mark.parametrize(("group", "kind"), sorted((group, kind) for group, kinds in NOT_ENFORCED.items() for kind in kinds))
def test_kinds_that_are_not_enforced(group: str, kind: str) -> None:
    """A kind that istiod acts on and we do not is never skipped in silence."""
    decoded = decode(document(kind, {}, api_version=f"{group}/v1"))
    assert isinstance(decoded, Skipped)
    assert [(d.code, d.severity) for d in decoded.diagnostics] == [("MC1901", Severity.WARNING)]


def test_foreign_kinds_are_skipped() -> None:
    """A kind that is not ours is skipped without a word."""
    decoded = decode(document("ServiceAccount", {}, api_version="v1"))
    assert decoded == Skipped("v1", "ServiceAccount", ObjectKey("ServiceAccount", "shop", "sample"))


@pytest.mark.parametrize("raw", [None, [], "text", 5, {}, {"kind": "Service"}, {"apiVersion": "v1"}, {"apiVersion": 1, "kind": []}])
def test_what_is_no_object(raw: object) -> None:
    """Without apiVersion and kind nobody can tell what a document is."""
    decoded = decode(raw)
    assert isinstance(decoded, Rejected)
    assert [d.code for d in decoded.diagnostics] == ["MC1001"]


def test_namespace_of_an_object_without_one() -> None:
    """Objects without a namespace get the default one; cluster-wide kinds have none."""
    raw = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {}}
    decoded = decode(raw, default_namespace="shop")
    assert isinstance(decoded, Upsert)
    assert decoded.key.namespace == decoded.object.meta.namespace == "shop"
    node = decode({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "namespace": "x"}}, default_namespace="shop")
    assert isinstance(node, Upsert)
    assert node.key == ObjectKey("Node", "", "n")


@pytest.mark.parametrize("metadata", [None, {}, {"name": ""}, {"name": None}, {"generateName": "a-"}, [], "text"])
def test_object_without_a_name(metadata: object) -> None:
    """An object without a name cannot be kept, validated or not."""
    for validate in (True, False):
        decoded = decode(
            {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": ROUTE}, validate=validate
        )
        assert isinstance(decoded, Rejected)
        assert "metadata.name" in {d.path for d in decoded.diagnostics}


@pytest.mark.parametrize(
    ("metadata", "path"),
    [
        ({"labels": {"version": 1}}, "metadata.labels.version"),
        ({"labels": ["a"]}, "metadata.labels"),
        ({"creationTimestamp": "yesterday"}, "metadata.creationTimestamp"),
        ({"name": "a b"}, "metadata.name"),
        ({"namespace": "a.b"}, "metadata.namespace"),
    ],
)
def test_bad_metadata(metadata: dict[str, object], path: str) -> None:
    """Metadata that Kubernetes would refuse is an error."""
    raw = document("VirtualService", ROUTE)
    raw["metadata"].update(metadata)
    decoded = decode(raw)
    assert isinstance(decoded, Rejected)
    assert [(d.code, d.path) for d in decoded.diagnostics] == [("MC1002", path)]


def test_null_metadata_is_unset() -> None:
    """Tools write nulls into metadata; they mean nothing."""
    raw = document("VirtualService", ROUTE)
    raw["metadata"].update(labels=None, annotations=None, creationTimestamp=None, managedFields=[{}])
    decoded = decode(raw)
    assert isinstance(decoded, Upsert)
    assert decoded.object.meta.labels == {}


@pytest.mark.parametrize("created", ["2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5)])  # noqa: DTZ001  (YAML gives such a time)
def test_creation_time(created: object) -> None:
    """Creation times come as text or as YAML times; without a zone they are UTC."""
    raw = document("VirtualService", ROUTE)
    raw["metadata"]["creationTimestamp"] = created
    decoded = decode(raw)
    assert isinstance(decoded, Upsert)
    assert decoded.object.meta.creation_timestamp == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_unknown_field_of_the_envelope() -> None:
    """Only apiVersion, kind, metadata, spec and status may stand at the top."""
    decoded = decode({**document("VirtualService", ROUTE), "specs": {}, "x": 1})
    assert isinstance(decoded, Rejected)
    assert [(d.code, d.path, d.hint) for d in decoded.diagnostics] == [
        ("MC1004", "specs", 'did you mean "spec"?'),
        ("MC1004", "x", "everything else belongs under spec"),
    ]


def test_missing_spec() -> None:
    """A routing object without spec fails the rules of its kind, not the program."""
    raw = document("VirtualService", None)
    decoded = decode(raw)
    assert isinstance(decoded, Rejected)
    assert {d.code for d in decoded.diagnostics} == {"MC1204"}


def test_without_validation_everything_is_a_warning() -> None:
    """With validate=False the readable part is kept, and errors become warnings."""
    decoded = decode(document("VirtualService", {**ROUTE, "nope": 1, "exportTo": ["*", "a"]}), validate=False)
    assert isinstance(decoded, Upsert)
    assert {d.severity for d in decoded.diagnostics} == {Severity.WARNING}
    assert {d.code for d in decoded.diagnostics} == {"MC1004", "MC1024"}
    assert decoded.object.spec.export_to == ("*", "a")


def test_fields_that_are_not_compiled() -> None:
    """An object that uses a field without effect is accepted with a warning that names the path; one that sets it to nothing is not."""
    raw = {
        "host": "a",
        "trafficPolicy": {
            "tls": {"mode": "ISTIO_MUTUAL"},
            "retryBudget": {"budgetInterval": "1s"},
            "portLevelSettings": [{"port": {"number": 80}, "tls": {"credentialName": ""}}],
        },
    }
    decoded = decode(document("DestinationRule", raw))
    assert isinstance(decoded, Upsert)
    assert [(d.code, d.path, d.message.partition(":")[0]) for d in decoded.diagnostics] == [
        ("MC1902", "spec.trafficPolicy.tls.mode", "ISTIO_MUTUAL is not compiled yet"),
        ("MC1902", "spec.trafficPolicy.retryBudget.budgetInterval", "is not compiled yet"),
    ]


@pytest.mark.parametrize("kind", ["EnvoyFilter", "ProxyConfig"])
def test_kinds_that_are_refused(kind: str) -> None:
    """What rewrites generated configuration, or only matters at a proxy's start, is refused with a finding that says so."""
    decoded = decode({"apiVersion": "networking.istio.io/v1alpha3", "kind": kind, "metadata": {"name": "x"}, "spec": {}})
    assert isinstance(decoded, Rejected)
    (finding,) = decoded.diagnostics
    assert (finding.code, finding.severity) == ("MC1903", Severity.ERROR)


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"])
def test_policies_say_that_they_are_not_enforced(kind: str) -> None:
    """A security policy is read, and says what becomes of the workloads that it selects."""
    raw = {"selector": {"matchLabels": {"app": "x"}}, "rules": [{"from": []}]}
    decoded = decode({"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": raw})
    assert isinstance(decoded, Upsert)
    assert [finding.code for finding in decoded.diagnostics] == ["MC1904"]


def test_status_is_read_where_it_is_input() -> None:
    """The status of a WorkloadEntry says whether it is healthy; a status that we write ourselves changes no object."""
    entry = document("WorkloadEntry", {"address": "10.0.0.1"})
    entry["status"] = {"conditions": [{"type": "Healthy", "status": "True", "lastTransitionTime": "now"}]}
    decoded = decode(entry)
    assert isinstance(decoded, Upsert)
    assert decoded.object.status is not None
    assert [(c.type, c.status) for c in decoded.object.status.conditions] == [("Healthy", "True")]
    service = document("VirtualService", ROUTE)
    assert decode({**service, "status": {"conditions": [{"type": "Programmed"}]}}) == decode(service)


def test_values_of_secrets_never_show() -> None:
    """Neither findings nor the repr of a Secret show what is in it."""
    good = decode(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "c2VudGluZWw="}, "stringData": {"k": "sentinel"}}
    )
    bad = decode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "%sentinel%", "n": 5}})
    assert isinstance(good, Upsert)
    assert isinstance(bad, Rejected)
    for text in (repr(good), repr(bad), str(good.object.spec), str(good.object.spec.data)):
        assert "sentinel" not in text
        assert "c2VudGluZWw" not in text


def test_annotations_of_secrets_are_dropped() -> None:
    """``kubectl apply`` keeps a copy of the whole Secret in an annotation, which nothing may show."""
    copy = {"kubectl.kubernetes.io/last-applied-configuration": '{"data":{"tls.key":"c2VudGluZWw="}}'}
    decoded = decode({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": copy}})
    assert isinstance(decoded, Upsert)
    assert "c2VudGluZWw" not in repr(decoded)
    assert decoded.object.meta.annotations == {}


def test_kubernetes_objects_are_read_leniently() -> None:
    """Unknown fields of Kubernetes kinds are ignored, wrong types are errors."""
    raw = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"ports": [{"port": 80, "new": 1}], "new": {}},
        "new": 1,
    }
    assert isinstance(decode(raw), Upsert)
    raw["spec"] = {"ports": [{"port": "http"}]}
    decoded = decode(raw)
    assert isinstance(decoded, Rejected)
    assert [(d.code, d.path) for d in decoded.diagnostics] == [("MC1701", "spec.ports[0].port")]


def test_deep_documents_do_no_harm() -> None:
    """Nesting of any depth gives a finding, not a crash."""
    deep: object = {}
    for _ in range(50_000):
        deep = [deep]
    for spec in ({"x": deep}, {"hosts": deep}, {"http": deep}, deep):
        for validate in (True, False):
            assert isinstance(decode(document("VirtualService", spec), validate=validate), Upsert | Rejected)


JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, 1.5, float("nan"), 2**70, "", "x", "*", "80", b"x", [], {}, [None], {1: 2, None: 3, "a b": {}}, {"x": [[]]}]
)
TEXT = st.sampled_from(
    [
        "",
        "a",
        "a.com",
        "*",
        "*.a.com",
        "*-a",
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "unix:///s",
        "ns/a",
        "./*",
        "~",
        ".",
        "5xx,503",
        "HTTP",
        "TLS",
        "%",
        "(",
        "mesh",
    ]
)


@functools.cache
def shaped(node: Node) -> st.SearchStrategy[object]:
    """Return a strategy of values that fit the place more often than not, with odd values among them."""
    match node.shape:
        case Shape.MESSAGE:
            fields = {name: shaped((node.fields or {})[name].node) for name in node.field_names}
            good: st.SearchStrategy[object] = st.fixed_dictionaries({}, optional=fields)
        case Shape.LIST if node.item is not None:
            good = st.lists(shaped(node.item), max_size=2)
        case Shape.MAP if node.item is not None:
            good = st.dictionaries(TEXT, shaped(node.item), max_size=2)
        case Shape.INTEGER:
            good = st.sampled_from([0, 1, -1, 80, 65536, 2**31])
        case Shape.NUMBER:
            good = st.sampled_from([0, 50.5, 100, -1.0])
        case Shape.FLAG:
            good = st.booleans()
        case Shape.DURATION:
            good = st.sampled_from(["5s", "0s", "1ns", "-1s", "1500ms"])
        case Shape.ENUM:
            good = st.sampled_from(node.values)
        case _:
            good = TEXT
    return good | good | good | good | JUNK


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), validate=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_nothing_raises(kind: Kind, data: st.DataObject, *, validate: bool) -> None:
    """Whatever stands in a document, decoding gives a result; without validation a named object is always kept."""
    info = KINDS[kind]
    model: type[BaseModel] = ROUTING_SPECS.get(kind) or VIEWS[kind]
    spec = data.draw(shaped(node_of(model)))
    raw = {**document(kind, None, api_version=f"{info.group}/{info.versions[0]}".removeprefix("/")), "spec": spec, "status": spec}
    if isinstance(spec, dict):
        raw |= {key: value for key, value in spec.items() if key not in raw}
    decoded = decode(raw, validate=validate)
    assert isinstance(decoded, Upsert | Rejected)
    if not validate:
        assert isinstance(decoded, Upsert)


def test_importing_is_cheap() -> None:
    """Decoding needs neither gRPC nor Kopf nor Envoy's protobufs, which cost a second to import."""
    import subprocess

    code = "import sys, meshctl_operator.apis.decode; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    names = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"grpc", "kopf", "kubernetes", "envoy", "re2", "yaml"} & set(names)


@pytest.mark.parametrize("api_version", ["v1", "networking.istio.o/v1", "networking.istio/v1beta1"])
def test_a_routing_kind_of_a_group_that_is_none(api_version: str) -> None:
    """A slip in apiVersion must not make a VirtualService vanish as somebody else's."""
    decoded = decode({"apiVersion": api_version, "kind": "VirtualService", "metadata": {"name": "a"}, "spec": {}})
    assert isinstance(decoded, Rejected)
    (finding,) = decoded.diagnostics
    assert (finding.path, finding.hint) == ("apiVersion", "use networking.istio.io/v1")


def test_a_kind_of_the_same_name_elsewhere_is_not_ours() -> None:
    """Other groups have Gateways and Sidecars of their own."""
    for api_version, kind in (("example.com/v1", "Sidecar"), ("gateway.example.io/v1", "Gateway")):
        assert isinstance(decode({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}), Skipped)


def test_a_document_without_api_version() -> None:
    """What is not there is called missing."""
    decoded = decode({"kind": "VirtualService", "metadata": {"name": "a"}})
    assert isinstance(decoded, Rejected)
    assert (decoded.diagnostics[0].path, decoded.diagnostics[0].message) == ("apiVersion", "is missing")
