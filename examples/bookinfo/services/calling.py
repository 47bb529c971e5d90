"""Calls from one bookinfo service to the next: JSON over HTTP, through the proxy that `http_proxy` names when there is one.

In: a URL of the mesh (`http://reviews:9080/reviews/0`) and the request that is being answered. Out: a `Reply`, never an exception.
Nothing is retried here, that is the mesh's business; a connection that the other side closed while it was idle is opened anew.
"""

import http.client
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from serving import Request

KEPT_CONNECTIONS = 32  # idle connections to one address; more than that come only with more concurrent requests than a demo has
SHOWN_ERROR = 200  # characters of an upstream's own words that are worth showing

FORWARDED_HEADERS = (
    # what ties the spans of one request together, in the dialects in use: W3C, B3, and those of the larger vendors
    "x-request-id",
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-ot-span-context",
    "x-cloud-trace-context",
    "grpc-trace-bin",
    "sw8",
    # what the routes of the mesh match
    "end-user",
    "user-agent",
    # what the demo asks of services further down
    "x-demo-fail",
    "x-demo-slow",
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of another service: `body` when the status is 200, else `message` in words for people."""

    status: int
    body: Mapping[str, object] = field(default_factory=dict)
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the body may be used."""
        return not self.message

    def error(self) -> dict[str, object]:
        """Return the failure for JSON."""
        return {"error": self.status, "message": self.message}


def forwarded(request: Request) -> dict[str, str]:
    """Return the headers of `request` that go on to the next service."""
    return {name: " ".join(request.headers[name].split()) for name in FORWARDED_HEADERS if name in request.headers}


def failure(host: str, status: int, raw: bytes) -> Reply:
    """Put an answer other than 200 into words; Envoy explains itself in plain text, our services in JSON."""
    text = raw.decode(errors="replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict) and "message" in said:
        text = str(said["message"])
    return Reply(status, message=f"{host} answered {status}" + (f": {text[:SHOWN_ERROR]}" if text else ""))


class Caller:
    """Makes calls and keeps connections; safe to share between threads."""

    def __init__(self, timeout: float, proxy: str | None = None) -> None:
        """Wait `timeout` seconds for each answer; `proxy` is a URL and defaults to `http_proxy`, and `no_proxy` is not read: hosts of the mesh have no other way."""
        self.timeout = timeout
        self.proxy = urlsplit(os.environ.get("http_proxy", "") if proxy is None else proxy)
        self.idle: defaultdict[tuple[str, int], list[http.client.HTTPConnection]] = defaultdict(list)

    def get(self, url: str, request: Request, extra: Mapping[str, str] | None = None) -> Reply:
        """GET `url` with the headers that `request` hands on, and `extra` ones."""
        target = urlsplit(url)
        headers = {"host": target.netloc, "accept": "application/json", **forwarded(request), **(extra or {})}
        via = self.proxy if self.proxy.hostname else target
        address = (via.hostname or "", via.port or 80)
        path = url if self.proxy.hostname else target.path or "/"
        try:
            status, raw = self._exchange(address, path, headers)
        except TimeoutError:
            return Reply(504, message=f"{target.hostname} did not answer within {self.timeout:g} s")
        except (OSError, http.client.HTTPException) as error:
            return Reply(
                502, message=f"{target.hostname} cannot be reached by {address[0]}:{address[1]}: {str(error) or type(error).__name__}"
            )
        return _reply(target, status, raw)

    def close(self) -> None:
        """Close the idle connections; a service that ends need not."""
        for connections in self.idle.values():
            while connections:
                connections.pop().close()

    def _exchange(self, address: tuple[str, int], path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """Send one request over an idle connection or a new one, and read the answer."""
        try:
            connection, fresh = self.idle[address].pop(), False
        except IndexError:
            connection, fresh = http.client.HTTPConnection(*address, timeout=self.timeout), True
        while True:
            try:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                break
            except (ConnectionError, http.client.BadStatusLine):
                connection.close()
                if fresh:
                    raise
                fresh = True  # it was closed while idle (RFC 9112, 9.3.1); the same object opens a new one
            except BaseException:
                connection.close()
                raise
        try:
            raw = response.read()
        except BaseException:
            connection.close()
            raise
        if not response.will_close and len(self.idle[address]) < KEPT_CONNECTIONS:
            self.idle[address].append(connection)
        else:
            connection.close()
        return response.status, raw


def _reply(target: SplitResult, status: int, raw: bytes) -> Reply:
    """Read an answer: JSON when it is 200."""
    host = target.hostname or ""
    if status != http.client.OK:
        return failure(host, status, raw)
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return Reply(502, message=f"{host} answered 200 with something that is no JSON object")
    return Reply(status, body)
