"""The operator under the account that a chart gives it: with the rules of the table, and with no others."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.kube.admission.certificates import Material, new_material, service_names
from meshctl_operator.kube.admission.secrets import data_of, material_of
from meshctl_operator.kube.permissions import WEBHOOK_SECRET, Rule, cluster_rules, namespace_rules, secret_rules
from tests.support.api_server import ApiServer
from tests.support.key_pairs import secret_yaml
from tests.support.meshes import RawObject, endpoints, istio, service, virtual_service
from tests.support.operator_process import NAMESPACE, SERVICE, install_webhook, next_event, serving, uninstall_webhook

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

DAY = 86_400
CRDS = Path(__file__).parents[2] / "crds"


def bound(account: str, name: str, rules: Iterable[Rule], namespace: str | None = None) -> Iterator[RawObject]:
    """Yield a role with these rules, in one namespace or in all, and the binding of an account to it."""
    kind, inside = ("Role", {"namespace": namespace}) if namespace else ("ClusterRole", {})
    version, meta = "rbac.authorization.k8s.io/v1", {"name": name, **inside}
    yield {"apiVersion": version, "kind": kind, "metadata": meta, "rules": [rule.to_json() for rule in rules]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}]
    yield {"apiVersion": version, "kind": f"{kind}Binding", "metadata": meta, "roleRef": reference, "subjects": subjects}


def everything() -> Iterator[RawObject]:
    """Yield objects of all kinds that lead to requests."""
    port = {"number": 443, "protocol": "HTTPS", "name": "https"}
    server = {"port": port, "hosts": ["a.example.com"], "tls": {"mode": "SIMPLE", "credentialName": "a-cert"}}
    yield service("a")
    yield endpoints("a", "10.1.0.1")
    yield yaml.safe_load(secret_yaml("a-cert", "default"))
    yield istio("Gateway", "gw", {"servers": [server]})
    yield virtual_service("a", "a")
    yield istio("VirtualService", "broken", {"hosts": []})
    settings = {"mesh": "connectTimeout: 3s\n"}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": NAMESPACE}, "data": settings}


def asked(events: Iterable[Any], resource: str) -> set[str]:
    """Return the verbs that were used on a resource."""
    return {event["verb"] for event in events if event.get("objectRef", {}).get("resource") == resource}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that writes down what is asked for, with objects of all kinds."""
    with ApiServer(tmp_path_factory.mktemp("audited"), audited=True) as server:
        server.kubectl("apply", "-f", str(CRDS))
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        server.namespace(NAMESPACE)
        server.apply(*everything())
        yield server


def kubeconfig(server: ApiServer, account: str, *roles: RawObject) -> Path:
    """Return the kubeconfig of a new account with these roles."""
    token = server.account(account, NAMESPACE)
    server.apply(*roles)
    return server.kubeconfig(token=token, name=f"kubeconfig-{account}")


def refused(events: Iterable[Any]) -> set[tuple[str, str]]:
    """Return verb and resource of what was forbidden."""
    denied = (event for event in events if event["responseStatus"]["code"] in {401, 403})
    return {(event["verb"], event.get("objectRef", {}).get("resource", event["requestURI"])) for event in denied}


def stored_certificate(server: ApiServer) -> Material:
    """Return the certificate that all replicas share."""
    found = material_of(server.request("GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/{WEBHOOK_SECRET}")["data"])
    assert found is not None
    return found


def test_nothing_is_forbidden(audited: ApiServer) -> None:
    """From the start to the end of a life with objects of all kinds no request is refused, and each kind was asked for.

    A certificate near its end is renewed, and the authority of before stays trusted.
    """
    name = "meshctl"
    old = new_material(service_names(SERVICE, NAMESPACE), time.time() - 61 * DAY)
    meta = {"name": WEBHOOK_SECRET, "namespace": NAMESPACE}
    audited.apply({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": meta, "data": data_of(old)})
    roles = (
        *bound(name, "meshctl", cluster_rules()),
        *bound(name, "meshctl-secrets", secret_rules()),
        *bound(name, "meshctl-own", namespace_rules(), NAMESPACE),
    )
    with serving(audited, "--webhook", "127.0.0.1:0", kubeconfig=kubeconfig(audited, name, *roles)) as process:
        install_webhook(audited, next_event(process)["webhook"])
        next_event(process, "synced")
        audited.apply(service("b"))
        while "Service/default/b" not in next_event(process, "config")["changed"]:
            pass
        audited.kubectl("wait", "--for=condition=Accepted", "--timeout=60s", "vs/a")
        process.terminate()
        _, complaints = process.communicate(timeout=30)
    uninstall_webhook(audited)
    events = audited.requests_of(f"system:serviceaccount:{NAMESPACE}:{name}")
    assert refused(events) == set()
    assert "forbidden" not in complaints.lower()
    for resource in (
        *("virtualservices", "services", "endpointslices", "pods", "nodes"),
        *("namespaces", "configmaps", "customresourcedefinitions"),
    ):
        assert {"list", "watch"} <= asked(events, resource), resource
    assert "patch" in asked(events, "virtualservices")  # its status
    assert "create" in asked(events, "events")
    assert {"get", "create", "update"} <= asked(events, "leases")
    assert asked(events, "secrets") == {"list", "watch", "get", "update"}
    assert asked(events, "validatingwebhookconfigurations") == {"get", "patch"}
    renewed = stored_certificate(audited)
    assert renewed.certificate != old.certificate
    assert renewed.authorities.endswith(old.authorities)
    assert renewed.authorities != old.authorities


def test_where_certificates_may_not_be_read_everything_else_is_served(audited: ApiServer) -> None:
    """The installer chose the namespaces. The certificate of the webhook is made where there is none."""
    name = "meshctl-elsewhere"
    roles = (*bound(name, name, cluster_rules()), *bound(name, name, namespace_rules(), NAMESPACE))
    audited.kubectl("delete", "secret", WEBHOOK_SECRET, "-n", NAMESPACE, "--ignore-not-found")
    with serving(audited, "--webhook", "127.0.0.1:0", kubeconfig=kubeconfig(audited, name, *roles)) as process:
        install_webhook(audited, next_event(process)["webhook"])
        next_event(process, "synced")
    uninstall_webhook(audited)
    assert stored_certificate(audited).authorities.count("BEGIN") == 1
    events = audited.requests_of(f"system:serviceaccount:{NAMESPACE}:{name}")
    assert {resource for _, resource in refused(events)} == {"secrets"}
