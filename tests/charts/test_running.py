"""The pods of the charts: their commands run with their arguments, environment, files, service accounts and roles, and traffic flows."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import urllib3

from tests.support.api_server import ApiServer, free_port
from tests.support.containers import Pod, Process
from tests.support.helm import CHARTS, Helm, chosen, documents
from tests.support.meshes import RawObject, istio

pytestmark = [pytest.mark.helm, pytest.mark.apiserver, pytest.mark.netns]

NAMESPACE = "istio-system"


@contextmanager
def installed(helm: Helm, chart: str, release: str, values: dict[str, Any]) -> Iterator[list[Any]]:
    """Install a chart for the length of a block; yields its objects."""
    helm.run("install", release, str(CHARTS / chart), "--namespace", NAMESPACE, values=values)
    try:
        yield list(documents(helm.run("get", "manifest", release, "--namespace", NAMESPACE).stdout))
    finally:
        helm.run("uninstall", release, "--namespace", NAMESPACE)


@contextmanager
def kinds(cluster: ApiServer, helm: Helm) -> Iterator[None]:
    """Install the CRDs for the length of a block."""
    try:
        with installed(helm, "meshctl-crds", "meshctl-crds", {}):
            yield
    finally:
        cluster.kubectl("delete", "crd", "-l", "app.kubernetes.io/part-of=meshctl")


def control_plane_values(**more: Any) -> dict[str, Any]:
    """Return values with ports that are free, on loopback."""
    ports = {"xds": free_port(), "http": free_port(), "webhook": free_port()}
    return {"bindAddress": "127.0.0.1", "ports": ports, **more}


class Upstream(BaseHTTPRequestHandler):
    """Says hello to everybody."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[int]:
    """A web server on loopback; its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def rules(upstream: int) -> list[RawObject]:
    """Return a Gateway on port 80, and the rule that sends its traffic to the server on loopback."""
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    return [
        istio("Gateway", "gw", {"selector": {"istio": "ingressgateway"}, "servers": [{"port": port, "hosts": ["*"]}]}),
        istio(
            "ServiceEntry",
            "shop",
            {
                "hosts": ["shop.test"],
                "ports": [{**port, "targetPort": upstream}],
                "resolution": "STATIC",
                "location": "MESH_EXTERNAL",
                "endpoints": [{"address": "127.0.0.1"}],
            },
        ),
        istio(
            "VirtualService",
            "shop",
            {"hosts": ["*"], "gateways": ["gw"], "http": [{"route": [{"destination": {"host": "shop.test", "port": {"number": 80}}}]}]},
        ),
    ]


def denied(cluster: ApiServer, user: str) -> set[tuple[str, str]]:
    """Return what a user asked for in vain, as verbs and paths."""
    return {(event["verb"], event["requestURI"]) for event in cluster.requests_of(user) if event["responseStatus"]["code"] in {401, 403}}


def is_open(port: int) -> bool:
    """Tell whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def page(process: Process, port: str | int, path: str) -> str:
    """Return a page of a process."""
    return urllib3.request("GET", f"http://127.0.0.1:{process.port(port)}{path}", retries=False, timeout=5.0).data.decode()


@pytest.mark.envoy
def test_a_gateway_serves_what_the_control_plane_tells_it(cluster: ApiServer, cluster_helm: Helm, tmp_path: Path, upstream: int) -> None:
    """From ``helm install`` of three charts to an answered request, each process with nothing but what its chart gives it."""
    values = control_plane_values(meshConfig={"accessLogFile": "/dev/stdout"})
    target = free_port()
    gateway_values = {
        "xds": {"address": f"127.0.0.1:{values['ports']['xds']}"},
        "concurrency": 1,
        "ports": {"admin": free_port(), "status": free_port(), "metrics": free_port()},
        "service": {"ports": [{"name": "http2", "port": 80, "targetPort": target}]},
    }
    with (
        kinds(cluster, cluster_helm),
        installed(cluster_helm, "meshctl", "meshctl", values) as control,
        installed(cluster_helm, "meshctl-gateway", "istio-ingressgateway", gateway_values) as edge,
    ):
        operator = Pod(chosen(control, "Deployment"), cluster, tmp_path / "operator")
        with operator.running() as serving:
            assert serving.probe("startupProbe")
            assert serving.probe("livenessProbe")
            gateway = Pod(chosen(edge, "Deployment"), cluster, tmp_path / "gateway")
            gateway.register()
            cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": rules(upstream)}))
            gateway.start_up()
            with gateway.running() as envoy:
                envoy.wait(lambda: envoy.get(target, "/") == 200, "a request is answered")
                assert page(envoy, target, "/") == "hello"
                assert "envoy_server_live" in page(envoy, "http-envoy-prom", "/stats/prometheus")
                assert "istio-ingressgateway-0" in page(serving, "http-monitoring", "/debug/syncz")
                envoy.wait(lambda: '"GET / HTTP/1.1" 200' in envoy.log, "the access is logged, as the MeshConfig of the chart says")
            assert not denied(cluster, operator.user)
        cluster.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/pods/{gateway.name}?gracePeriodSeconds=0")


def test_the_webhook_is_trusted_under_the_roles_of_the_chart(cluster: ApiServer, cluster_helm: Helm, tmp_path: Path) -> None:
    """The operator makes its certificate and lets API servers trust it; an upgrade of the chart takes nothing of that back."""
    values = control_plane_values()
    with installed(cluster_helm, "meshctl", "meshctl", values) as objects:
        name = chosen(objects, "ValidatingWebhookConfiguration")["metadata"]["name"]
        path = f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}"

        def bundle() -> str:
            return str(cluster.request("GET", path)["webhooks"][0]["clientConfig"].get("caBundle", ""))

        operator = Pod(chosen(objects, "Deployment"), cluster, tmp_path / "operator")
        with operator.running() as serving:
            serving.wait(lambda: bool(bundle()), "API servers trust the webhook")
            serving.wait(lambda: is_open(serving.port("https-webhook")), "the webhook listens")
            trusting = ssl.create_default_context(cadata=base64.b64decode(bundle()).decode())
            with (
                socket.create_connection(("127.0.0.1", serving.port("https-webhook")), timeout=5) as connection,
                trusting.wrap_socket(connection, server_hostname=f"meshctl.{NAMESPACE}.svc") as secured,
            ):
                assert secured.version() == "TLSv1.3"
            before = bundle()
            upgrade = ("upgrade", "meshctl", str(CHARTS / "meshctl"), "--namespace", NAMESPACE)
            cluster_helm.run(*upgrade, values={**values, "logLevel": "debug"})
            assert bundle() == before
        assert not denied(cluster, operator.user)
    cluster.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}/secrets/meshctl-webhook")
