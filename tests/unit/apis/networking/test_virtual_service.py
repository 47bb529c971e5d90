"""Structure of VirtualService."""

from __future__ import annotations

from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.apis.networking.virtual_service import DerivePort, HttpMatchRequest, UnmatchedPreflights, VirtualServiceSpec
from meshctl_operator.base.durations import Duration
from tests.support.documents import errors_of, spec_of


def test_a_rule_with_everything() -> None:
    """Each part of a rule is found where the protobuf message has it."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService",
        """
        hosts: [reviews]
        http:
        - name: n
          match: [{uri: {prefix: /a}, headers: {x: {exact: y}, z: {}}, queryParams: {q: {regex: .*}}}]
          route: [{destination: {host: reviews, subset: v1, port: {number: 9080}}, weight: 1, headers: {request: {set: {a: b}}}}]
          timeout: 5s
          retries: {attempts: 3, retryOn: 5xx}
          corsPolicy: {allowOrigins: [{exact: a}], maxAge: 24h, allowCredentials: false, unmatchedPreflights: IGNORE}
        """,
    )
    (rule,) = spec.http
    (block,) = rule.match
    assert block.uri == StringMatch(prefix="/a")
    assert block.headers == {"x": StringMatch(exact="y"), "z": StringMatch()}
    (entry,) = rule.route
    assert (entry.destination.host, entry.destination.subset, entry.weight) == ("reviews", "v1", 1)
    assert rule.timeout == Duration.of(seconds=5)
    assert rule.cors_policy is not None
    assert (rule.cors_policy.allow_credentials, rule.cors_policy.unmatched_preflights) == (False, UnmatchedPreflights.IGNORE)


def test_null_among_absent_headers_means_presence() -> None:
    """Istio takes null in withoutHeaders for {}."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService", "{hosts: [a], http: [{match: [{withoutHeaders: {x: null}}], route: [{destination: {host: a}}]}]}"
    )
    assert spec.http[0].match[0].without_headers == {"x": StringMatch()}


def test_null_where_istio_takes_it() -> None:
    """A null match block matches every request; a null query parameter must be present."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService", "{hosts: [a], http: [{match: [null, {queryParams: {q: null}}], route: [{destination: {host: a}}]}]}"
    )
    assert spec.http[0].match == (HttpMatchRequest(), HttpMatchRequest(query_params={"q": StringMatch()}))


def test_null_fields_are_unset() -> None:
    """Null means unset for every field, as in protobuf JSON."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService",
        "{hosts: [a], gateways: null, tls: null, http: [{name: null, match: null, timeout: null, route: [{destination: {host: a, subset: null}}]}]}",
    )
    assert (spec.gateways, spec.tls, spec.http[0].name, spec.http[0].match) == ((), (), "", ())


def test_one_of_of_a_redirect() -> None:
    """Port and derivePort exclude each other; each alone is read."""
    spec: VirtualServiceSpec = spec_of("VirtualService", "{hosts: [a], http: [{redirect: {derivePort: FROM_REQUEST_PORT}}]}")
    assert spec.http[0].redirect is not None
    assert spec.http[0].redirect.derive_port is DerivePort.FROM_REQUEST_PORT
    assert errors_of("VirtualService", "{hosts: [a], http: [{redirect: {port: 1, derivePort: FROM_REQUEST_PORT}}]}") == [
        ("MC1008", "spec.http[0].redirect")
    ]
