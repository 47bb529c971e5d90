"""What one proxy would be served, from config objects alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from meshctl_operator.apis.changes import Change, Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.bootstrap.static import KeyPair
from meshctl_operator.controlplane.certificates import throw_away_certificate
from meshctl_operator.controlplane.proxy_descriptions import parse_proxy, read_proxy
from meshctl_operator.controlplane.translation import Translation, known_proxy, stand_alone, translate
from meshctl_operator.dev.overlay import tls_secret

MESH = """
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1}
spec:
  template:
    metadata: {labels: {app: reviews, version: v1}}
    spec: {serviceAccountName: bookinfo-reviews, containers: [{name: reviews}]}
---
apiVersion: v1
kind: Pod
metadata: {name: reviews-v2-x, labels: {app: reviews, version: v2}}
spec: {serviceAccountName: pods, nodeName: n1, containers: [{name: reviews}]}
status: {podIP: 10.1.0.7, podIPs: [{ip: 10.1.0.7}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints: [{addresses: [10.1.0.7], targetRef: {kind: Pod, name: reviews-v2-x}}]
ports: [{name: http, port: 9080}]
"""
GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: entrance}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    tls: {mode: SIMPLE, credentialName: cert}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: entrance}
spec:
  hosts: [shop.example.org]
  gateways: [entrance]
  http: [{route: [{destination: {host: reviews}}]}]
"""
ROUTER = {"type": "router", "namespace": "default", "labels": {"istio": "ingressgateway"}}


def changes(text: str) -> list[Change]:
    """Return the decoded objects of some YAML."""
    found = [decode(raw) for raw in yaml.safe_load_all(text)]
    return [each for each in found if not isinstance(each, Skipped)]


def sidecar(text: str = MESH, proxy: str = "sidecar:reviews-v1.default") -> Translation:
    """Return what a sidecar would be served."""
    return translate(changes(text), parse_proxy(proxy))


def names(messages: Any, key: str = "name") -> list[str]:
    """Return the names of messages."""
    return [message[key] for message in messages]


def test_a_deployment_stands_in_for_its_pods() -> None:
    """Labels and service account come from the pod template."""
    proxy = sidecar().proxy
    assert (proxy.labels, proxy.service_account) == ((("app", "reviews"), ("version", "v1")), "bookinfo-reviews")


def test_a_pod_gives_its_address() -> None:
    """A Pod of the name gives address, labels, node and service account."""
    proxy = sidecar(proxy="sidecar:reviews-v2-x.default").proxy
    assert (proxy.ips, proxy.service_account, proxy.node_name) == (("10.1.0.7",), "pods", "n1")
    assert dict(proxy.labels)["version"] == "v2"


def test_a_proxy_file_may_name_a_pod_by_its_address() -> None:
    """As istiod does, the pod that has the proxy's address tells its labels; what the file says wins."""
    described = read_proxy({"type": "sidecar", "name": "other", "ips": ["10.1.0.7"], "service_account": "mine"})
    proxy, findings = known_proxy(changes(MESH), described)
    assert dict(proxy.labels)["version"] == "v2"
    assert proxy.service_account == "mine"
    assert findings == ()


def test_an_unknown_workload_is_said() -> None:
    """A name that no workload has gives a finding with a suggestion, and a proxy without labels."""
    result = sidecar(proxy="sidecar:reviews-v3.default")
    (finding,) = [finding for finding in result.diagnostics if finding.code == "MC4201"]
    assert (finding.hint, result.proxy.labels) == ('did you mean "reviews-v1"?', ())


@pytest.mark.parametrize(
    ("proxy", "hint"), [("sidecar:xyz.default", "there are reviews-v2-x, reviews-v1"), ("sidecar:a.shop", "there is none in shop")]
)
def test_what_there_is_instead(proxy: str, hint: str) -> None:
    """Without a near name the hint lists what there is."""
    assert [finding.hint for finding in sidecar(proxy=proxy).diagnostics if finding.code == "MC4201"] == [hint]


def test_a_described_proxy_need_not_exist() -> None:
    """A proxy file describes a proxy that is nowhere among the inputs."""
    result = translate(changes(MESH), read_proxy({"type": "sidecar"}))
    assert all(finding.code != "MC4201" for finding in result.diagnostics)


def test_metadata_takes_effect() -> None:
    """The metadata of a proxy file means what it means to the control plane; numbers may be numbers."""
    described = read_proxy({"type": "sidecar", "metadata": {"HTTP_PROXY_PORT": 15007, "LIST": [1, True], "MAP": {"a": 1}}})
    result = translate(changes(MESH), described)
    assert result.proxy.http_proxy_port == 15007
    assert "127.0.0.1_15007" in names(result.served.listeners)


def test_ports_of_the_local_mesh_may_move() -> None:
    """A sidecar of the local mesh listens at its own address, on another port where its binding says so."""
    local = {"address": "127.0.9.1", "ports": {"9080": 19080}, "app_ports": {"9080": 20001}}
    described = read_proxy({"type": "sidecar", "name": "reviews-v1", "metadata": {"MESHCTL_LOCAL": local}})
    (listener,) = translate(changes(MESH), described).served.listeners
    assert listener["address"] == {"socket_address": {"address": "127.0.9.1", "port_value": 19080}}


def test_public_form() -> None:
    """Messages are sorted by name, with original field names, and endpoints for each EDS cluster."""
    result = json.loads(json.dumps(sidecar().to_json()))
    assert list(result) == ["proxy", "clusters", "endpoints", "listeners", "routes", "secrets", "diagnostics"]
    assert names(result["clusters"]) == sorted(names(result["clusters"]))
    assert "outbound|9080||reviews.default.svc.cluster.local" in names(result["clusters"])
    (assignment,) = result["endpoints"]
    assert assignment["cluster_name"] == "outbound|9080||reviews.default.svc.cluster.local"
    socket = assignment["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert socket == {"address": "10.1.0.7", "port_value": 9080}
    assert names(result["routes"]) == ["9080"]
    assert all("@type" not in message for message in result["clusters"])


def test_a_rejected_object_is_left_out() -> None:
    """The rest is compiled, the findings are kept."""
    bad = "\n---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: bad}\nspec: {hosts: [a], htpp: []}\n"
    result = sidecar(MESH + bad)
    assert any(isinstance(change, Rejected) for change in changes(MESH + bad))
    assert result.rejected
    assert any(finding.subject.name == "bad" for finding in result.diagnostics)
    assert names(result.served.routes) == ["9080"]
    assert not sidecar().rejected


def test_mesh_config_is_applied() -> None:
    """The settings of the mesh are those given."""
    settings = MeshSettings(MeshConfig(proxy_http_port=15008))
    result = translate(changes(MESH), parse_proxy("sidecar:reviews-v1.default"), settings)
    assert "127.0.0.1_15008" in names(result.served.listeners)


def gateway() -> Translation:
    """Return a gateway that terminates TLS."""
    secret = tls_secret("default", "cert", throw_away_certificate(["shop.example.org"]))
    assert isinstance(secret, Upsert)
    return translate([*changes(MESH + "---" + GATEWAY), secret], read_proxy(ROUTER))


def test_secrets_are_named_and_never_shown() -> None:
    """The public form has the SDS name and no key material."""
    result = gateway()
    assert result.secrets == ("kubernetes://cert",)
    assert "PRIVATE" not in json.dumps(result.to_json())


def test_stand_alone_bootstrap() -> None:
    """Nothing is fetched; the secret is replaced by a throw-away certificate, and a finding says so."""
    bootstrap, findings = stand_alone(gateway())
    text = json.dumps(bootstrap)
    assert '"ads"' not in text.replace('"eds_config": {"ads": {}', "")
    assert "rds" not in text
    assert text.count("BEGIN PRIVATE KEY") == 1
    (finding,) = findings
    assert (finding.code, finding.subject.kind, finding.subject.namespace, finding.subject.name) == ("MC4202", "Secret", "default", "cert")


def test_one_certificate_for_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that several chains ask for is replaced once."""
    made: list[list[str]] = []

    def make(hosts: list[str]) -> KeyPair:
        made.append(hosts)
        return KeyPair("c", "k")

    monkeypatch.setattr("meshctl_operator.controlplane.translation.throw_away_certificate", make)
    stand_alone(gateway())
    assert len(made) == 1


def test_a_secret_that_is_not_among_the_inputs() -> None:
    """Files seldom hold the Secrets of a cluster: the listener is shown as it is with the Secret, and a warning says so."""
    result = translate(changes(MESH + "---" + GATEWAY), read_proxy(ROUTER))
    assert result.secrets == ("kubernetes://cert",)
    assert [listener["name"] for listener in result.served.listeners] == ["0.0.0.0_443"]
    assert [(finding.code, finding.severity) for finding in result.diagnostics if finding.code == "MC2107"] == [
        ("MC2107", Severity.WARNING)
    ]
