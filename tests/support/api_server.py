"""A real API server for tests: ``with ApiServer(folder) as server`` runs etcd and kube-apiserver and ends them, whatever happens.

There is no controller manager and no kubelet: tests write EndpointSlices and the status of Pods themselves, and nothing is garbage-collected.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import urllib3
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from meshctl_operator.apis.kinds import KINDS, NETWORKING_GROUP, NETWORKING_VERSIONS, Kind, KindInfo
from tests.support.kube_binaries import KubeBinaries, ensure
from tests.support.meshes import RawObject

START_TIMEOUT: Final = 60.0
POLL_INTERVAL: Final = 0.05
LOG_TAIL: Final = 4000
ADMIN_TOKEN: Final = "admin-of-the-tests"
ROUTING: Final = tuple(info for info in KINDS.values() if info.is_routing)


class ApiServerError(AssertionError):
    """A process did not start or ended early, or a request was refused; carries what it said."""


class ApiServer:
    """etcd and kube-apiserver on ports of the kernel, with a token of ``system:masters`` and RBAC.

    Args:
        folder: where data, certificates and logs are kept; made if absent.
        tokens: further tokens, each with the name of its user: what that user may do is for RBAC to say.
        audited: whether every request is written down, for ``requests_of`` to tell.
    """

    def __init__(self, folder: Path, *, tokens: Mapping[str, str] | None = None, audited: bool = False) -> None:
        self.folder = folder
        self._audited = audited
        self.binaries: KubeBinaries = ensure()
        self._tokens = dict(tokens or {})
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._etcd_port = 0
        self.port = 0
        self._http: urllib3.PoolManager | None = None

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start_etcd()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End both processes."""
        self.stop()
        etcd, self._etcd = self._etcd, None
        _end(etcd)

    # -- processes --------------------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        """The self-signed certificate of the API server, which clients trust."""
        return self.folder / "certificates" / "apiserver.crt"

    def start(self) -> None:
        """Start the API server, on the port that it had before if it had one, and wait until it is ready."""
        assert self._server is None, "it runs already"
        self.port = self.port or free_port()
        command = [
            str(self.binaries.api_server),
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--service-account-key-file={self.folder / 'sa.pub'}",
            f"--service-account-signing-key-file={self.folder / 'sa.key'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount",
            "--etcd-compaction-interval=0",  # tests compact when they want to
            "--shutdown-delay-duration=0s",
        ]
        if self._audited:
            policy = {
                "apiVersion": "audit.k8s.io/v1",
                "kind": "Policy",
                "omitStages": ["RequestReceived"],
                "rules": [{"level": "Metadata"}],
            }
            (self.folder / "audit-policy.yaml").write_text(yaml.safe_dump(policy))
            command += [f"--audit-policy-file={self.folder / 'audit-policy.yaml'}", f"--audit-log-path={self.folder / 'audit.log'}"]
            command += ["--audit-log-mode=blocking"]
        self._server = self._run(command, "kube-apiserver.log")
        self._wait(self._is_ready, self._server, "kube-apiserver.log", "the API server is ready")

    def stop(self) -> None:
        """End the API server at once; etcd keeps what it held."""
        server, self._server = self._server, None
        _end(server, signal.SIGKILL)
        if self._http is not None:
            self._http.clear()

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "sa.key").write_bytes(private)
        (self.folder / "sa.pub").write_bytes(public)
        lines = [f'{ADMIN_TOKEN},admin,admin,"system:masters"', *(f"{token},{user},{user}" for token, user in self._tokens.items())]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")

    def _start_etcd(self) -> None:
        self._etcd_port, peers = free_port(), free_port()
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{peers}"
        command = [str(self.binaries.etcd), "--unsafe-no-fsync", "--data-dir", str(self.folder / "etcd"), "--log-level", "warn"]
        command += ["--listen-client-urls", client, "--advertise-client-urls", client]
        command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
        self._etcd = self._run(command, "etcd.log")

        def answers() -> bool:
            try:
                return urllib3.request("GET", f"{client}/health", retries=False, timeout=1.0).status == 200
            except urllib3.exceptions.HTTPError:
                return False

        self._wait(answers, self._etcd, "etcd.log", "etcd answers")

    def _run(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    def _is_ready(self) -> bool:
        if not self.certificate.exists():
            return False
        try:
            return self.http().request("GET", f"{self.url}/readyz", headers=self._headers(), retries=False, timeout=2.0).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _wait(self, check: Callable[[], bool], process: subprocess.Popen[bytes], log: str, what: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not check():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ApiServerError(f"waited in vain until {what}:\n{(self.folder / log).read_text(errors='replace')[-LOG_TAIL:]}")
            time.sleep(POLL_INTERVAL)

    def token(self, namespace: str, account: str, *audiences: str, seconds: int = 3600) -> str:
        """Return a token of a service account, as a kubelet would get it for a pod."""
        spec = {"expirationSeconds": seconds, **({"audiences": list(audiences)} if audiences else {})}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", body)
        return str(answer["status"]["token"])

    def compact(self) -> None:
        """Let etcd forget everything but the present, so that older resource versions are gone (410)."""
        url = f"http://127.0.0.1:{self._etcd_port}/v3/kv"
        answer = urllib3.request("POST", f"{url}/range", json={"key": "AA=="}, timeout=5.0).json()
        revision = answer["header"]["revision"]
        compacted = urllib3.request("POST", f"{url}/compaction", json={"revision": revision, "physical": True}, timeout=10.0)
        assert compacted.status == 200, compacted.data

    def requests_of(self, user: str) -> list[Any]:
        """Return what a user has asked for so far, with the answers: the events of the audit log."""
        events = map(json.loads, (self.folder / "audit.log").read_text().splitlines())
        return [event for event in events if event["user"]["username"] == user]

    # -- clients ----------------------------------------------------------------------------------------------------------------------

    def kubeconfig(self, *, token: str = ADMIN_TOKEN, server: str | None = None, name: str = "kubeconfig") -> Path:
        """Write a kubeconfig with the context ``tests`` and return its path."""
        path = self.folder / name
        cluster = {"server": server or self.url, "certificate-authority": str(self.certificate)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": "default"}}],
            "current-context": "tests",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig()), "HOME": str(self.folder)}
        command = [str(self.binaries.kubectl), *arguments]
        done = subprocess.run(command, env=environment, input=stdin, check=False, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise ApiServerError(f"{' '.join(arguments)}: {done.stderr}")
        return done

    def http(self) -> urllib3.PoolManager:
        """Return a client that trusts the server."""
        if self._http is None:
            self._http = urllib3.PoolManager(ca_certs=str(self.certificate), retries=False)
        return self._http

    def _headers(self, content: str = "application/json") -> dict[str, str]:
        return {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": content}

    def request(self, method: str, path: str, body: object | None = None, *, content: str = "application/json") -> Any:
        """Send a request as the administrator; returns the answer, raises ApiServerError for a refusal."""
        payload = None if body is None else json.dumps(body).encode()
        answer = self.http().request(method, self.url + path, body=payload, headers=self._headers(content), timeout=30.0)
        if answer.status >= 400:
            raise ApiServerError(f"{method} {path}: {answer.status} {answer.data.decode(errors='replace')}")
        return answer.json()

    def apply(self, *objects: RawObject, status: bool = True) -> list[Any]:
        """Create or replace objects as they are given; their ``status`` too, where they have one. Returns them as stored."""
        stored = []
        for given in objects:
            path = object_path(given)
            query = "?fieldManager=tests&force=true&fieldValidation=Ignore"
            body = {key: value for key, value in given.items() if key != "status"}
            if given["kind"] == Kind.SERVICE and given["spec"].get("clusterIP", "None") != "None":
                body["spec"] = {key: value for key, value in given["spec"].items() if key != "clusterIP"}  # the server allocates it
            answer = self.request("PATCH", path + query, body, content="application/apply-patch+yaml")
            if status and "status" in given:
                answer = self.request("PATCH", f"{path}/status", {"status": given["status"]}, content="application/merge-patch+json")
            stored.append(answer)
        return stored

    def account(self, name: str, namespace: str) -> str:
        """Create a service account and return a token of it."""
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        answer = self.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
        return str(answer["status"]["token"])

    def delete(self, given: RawObject) -> None:
        """Delete an object."""
        self.request("DELETE", object_path(given))

    def namespace(self, name: str, **labels: str) -> None:
        """Create a namespace, or label it."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})

    def clear(self) -> None:
        """Delete all objects that the control plane reads, but for namespaces and what the API server itself keeps."""
        for info in KINDS.values():
            if info.kind in {Kind.NAMESPACE, Kind.MESH_CONFIG, Kind.DEPLOYMENT}:
                continue
            path = collection_path(info)
            try:
                found = self.request("GET", path)["items"]
            except ApiServerError:  # no such kind
                continue
            for item in found:
                meta = item["metadata"]
                if meta["name"] == "kubernetes" or meta["name"].startswith("kube-"):
                    continue
                inside = collection_path(info, meta.get("namespace"))
                self.request("DELETE", f"{inside}/{quote(meta['name'])}?gracePeriodSeconds=0")

    def install(self, *infos: KindInfo) -> None:
        """Install CRDs with schemas that take everything, for the routing kinds or some of them, and wait until they are served."""
        for info in infos or ROUTING:
            self.apply(permissive_crd(info))
        for info in infos or ROUTING:
            deadline = time.monotonic() + START_TIMEOUT
            while True:
                try:
                    self.request("GET", collection_path(info))
                    break
                except ApiServerError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(POLL_INTERVAL)

    def uninstall(self, *infos: KindInfo) -> None:
        """Delete CRDs, and their objects with them."""
        for info in infos or ROUTING:
            self.request("DELETE", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{info.plural}.{info.group}")


def _end(process: subprocess.Popen[bytes] | None, number: signal.Signals = signal.SIGTERM) -> None:
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def collection_path(info: KindInfo, namespace: str | None = None) -> str:
    """Return the path of all objects of a kind, or of those in one namespace."""
    root = f"/apis/{info.group}/{info.versions[0]}" if info.group else f"/api/{info.versions[0]}"
    return f"{root}/namespaces/{namespace}/{info.plural}" if namespace else f"{root}/{info.plural}"


def object_path(given: RawObject) -> str:
    """Return the path of an object."""
    api_version, meta = given["apiVersion"], given["metadata"]
    known = {info.kind.value: info for info in KINDS.values()}.get(given["kind"])
    root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    plural = known.plural if known is not None else re.sub("ys$", "ies", given["kind"].lower() + "s")
    namespaced = known.namespaced if known is not None else "namespace" in meta
    inside = f"/namespaces/{meta.get('namespace', 'default')}" if namespaced else ""
    return f"{root}{inside}/{plural}/{quote(meta['name'])}"


def permissive_crd(info: KindInfo) -> RawObject:
    """Return a CRD of a routing kind whose schema takes everything."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}}
    versions = [
        {"name": name, "served": True, "storage": name == NETWORKING_VERSIONS[0], "schema": schema, "subresources": {"status": {}}}
        for name in info.versions
    ]
    names = {"kind": info.kind.value, "plural": info.plural, "singular": info.kind.value.lower(), "shortNames": list(info.short_names)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{NETWORKING_GROUP}"},
        "spec": {"group": NETWORKING_GROUP, "scope": "Namespaced", "names": names, "versions": versions},
    }


@contextmanager
def api_server(folder: Path, *, crds: bool = True, audited: bool = False) -> Iterator[ApiServer]:
    """Run an API server, with the CRDs of all routing kinds unless they are not wanted."""
    with ApiServer(folder, audited=audited) as server:
        server.namespace("istio-system")  # where the Lease of the leader is
        if crds:
            server.install()
        yield server
