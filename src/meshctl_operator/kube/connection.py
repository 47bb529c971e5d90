"""Requests to the API server, on raw documents, with the configuration and the credentials of the ``kubernetes`` client."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import urllib3
import yaml

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.kube.settings import KubeSettings, Timings

if TYPE_CHECKING:
    from kubernetes.client import Configuration

Document = dict[str, Any]

METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""What to accept where the metadata of objects is enough."""

JSON: Final = "application/json"

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
GONE: Final = 410
CONFLICT: Final = 409
TOO_MANY: Final = 429
_CONNECTIONS: Final = 64  # watches of namespaces come on top of the kinds
_CHUNK: Final = 1 << 16


class ApiFailure(Exception):  # noqa: N818  (an answer of the world; every caller goes on after it)
    """A request failed. ``status`` is None where no answer came; ``retry_after`` is what the server asks for."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


class Stream:
    """The lines of a watch. ``close`` may be called from another thread; the iteration then ends."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self._closed = False

    def __iter__(self) -> Iterator[Document]:
        rest = b""
        try:
            for data in self._chunks():
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    if line:
                        yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            if not self._closed:  # a stream that is closed from elsewhere ends in many ways
                raise ApiFailure(f"watch broke off: {error!r}") from error
        finally:
            self._response.close()

    def _chunks(self) -> Iterator[bytes]:
        """Yield what has come in, without waiting for more than there is."""
        if getattr(self._response, "chunked", False):
            yield from self._response.stream(_CHUNK)  # a chunk each, as the server flushes
            return
        while data := self._response.read1(_CHUNK):
            yield data

    def close(self) -> None:
        """End the iteration."""
        self._closed = True
        with suppress(Exception):  # it may have ended meanwhile
            self._response.shutdown()


class Connection:
    """One API server. Threads may share it."""

    def __init__(self, configuration: Configuration, timings: Timings) -> None:
        from kubernetes.client import ApiClient
        from kubernetes.utils.keepalive import tcp_keepalive_socket_options

        configuration.retries = False
        configuration.connection_pool_maxsize = _CONNECTIONS
        # what is sent in two pieces, head and body, must not wait for an answer to the first
        configuration.socket_options = [*tcp_keepalive_socket_options(15, 5, 3), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        self.configuration = configuration
        self._timings = timings
        self._pool: urllib3.PoolManager = ApiClient(configuration).rest_client.pool_manager

    @classmethod
    def load(cls, settings: KubeSettings) -> Connection:
        """Read the kubeconfig, or the service account of the pod. Raises SettingsError where neither can be used."""
        from kubernetes.client import Configuration
        from kubernetes.config import load_incluster_config, load_kube_config
        from kubernetes.config.config_exception import ConfigException

        configuration = Configuration()
        given = settings.kubeconfig or os.environ.get("KUBECONFIG")
        try:
            if not given and settings.context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
                load_incluster_config(client_configuration=configuration)
            else:
                path = given or str(Path.home() / ".kube" / "config")
                load_kube_config(config_file=path, context=settings.context, client_configuration=configuration, persist_config=False)
        except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
            hint = "set KUBECONFIG to a readable kubeconfig, and --context to one of its contexts"
            reason = " ".join(str(error).split())
            raise SettingsError(f"no API server to read from: {reason}", hint=hint) from error
        return cls(configuration, settings.timings)

    @property
    def authorization(self) -> str | None:
        """The value of the header, renewed where the credentials expire."""
        for setting in self.configuration.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                return str(setting["value"])
        return None

    def get(self, path: str, params: Mapping[str, str] | None = None, *, accept: str = JSON) -> Document:
        """Return a document. Raises ApiFailure."""
        return self._document("GET", path, self._request("GET", path, params, {"Accept": accept}, self._timeout))

    def send(
        self, method: str, path: str, body: bytes, params: Mapping[str, str] | None = None, *, content_type: str = JSON, timeout: float
    ) -> Document:
        """Send a document and return the answer, which is waited for as long as ``timeout`` says. Raises ApiFailure."""
        limits = urllib3.Timeout(connect=min(timeout, self._timings.connect), read=timeout)
        headers = {"Accept": JSON, "Content-Type": content_type}
        return self._document(method, path, self._request(method, path, params, headers, limits, body))

    @property
    def _timeout(self) -> urllib3.Timeout:
        return urllib3.Timeout(connect=self._timings.connect, read=self._timings.answer)

    @staticmethod
    def _document(method: str, path: str, response: urllib3.BaseHTTPResponse) -> Document:
        try:
            found = json.loads(response.data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiFailure(f"{method} {path}: {_reason(error)}") from error
        finally:
            response.release_conn()
        if not isinstance(found, dict):
            raise ApiFailure(f"{method} {path}: the answer is not an object")
        return found

    def watch(self, path: str, params: Mapping[str, str], *, silence: float) -> Stream:
        """Open a watch; ``silence`` is the longest time without anything. Raises ApiFailure."""
        timeout = urllib3.Timeout(connect=self._timings.connect, read=silence)
        return Stream(self._request("GET", path, params, {"Accept": JSON}, timeout))

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        given: Mapping[str, str],
        timeout: urllib3.Timeout,
        body: bytes | None = None,
    ) -> urllib3.BaseHTTPResponse:
        headers = {**given, "User-Agent": "meshctl-operator"}
        try:
            authorization = self.authorization
            if authorization:
                headers["Authorization"] = authorization
            url = self.configuration.host.rstrip("/") + path + (f"?{urlencode(params)}" if params else "")
            response = self._pool.request(method, url, body=body, headers=headers, timeout=timeout, preload_content=False, redirect=False)
            if response.status < 300:  # noqa: PLR2004  (the end of success)
                return response
            text = response.read(2000).decode(errors="replace")
            retry_after = response.headers.get("Retry-After", "")
            response.close()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiFailure(f"{method} {path}: {_reason(error)}") from error
        with suppress(ValueError):
            text = str(json.loads(text).get("message", text))
        raise ApiFailure(
            f"{method} {path}: {response.status} {text}", response.status, float(retry_after) if retry_after.isdigit() else None
        )


def _reason(error: Exception) -> str:
    """Return what went wrong without the names of objects in memory: the innermost cause, which names the errno or the certificate."""
    inner: BaseException = error
    while isinstance(inner, urllib3.exceptions.MaxRetryError) and inner.reason is not None:
        inner = inner.reason
    if isinstance(inner, urllib3.exceptions.NewConnectionError | urllib3.exceptions.SSLError):
        inner = inner.__cause__ or inner.__context__ or inner
    return f"{type(inner).__name__}: {inner}"
