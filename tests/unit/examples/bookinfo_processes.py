"""Run the bookinfo services as processes, and a stand-in for their sidecars: a small HTTP proxy that sends each host of the mesh where the test says."""

import http.client
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

BOOKINFO = Path(__file__).parents[3] / "examples" / "bookinfo"
WAIT = 10.0
MISBEHAVIOUR = "FAIL_FIRST", "http_proxy", "ADDRESS", "PORT", "WORKLOAD", "VERBOSE"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        """Return the body, which has to be a JSON object."""
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value

    def at(self, *path: str) -> object:
        """Return one value of the JSON body by its path; None where the path ends early."""
        value: object = self.json()
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


def fetch(address: str, path: str, headers: Mapping[str, str] | None = None, *, method: str = "GET", body: str | None = None) -> Answer:
    """Send one request over a connection of its own."""
    connection = http.client.HTTPConnection(address, timeout=WAIT)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A service that listens."""

    process: "subprocess.Popen[str]"
    address: str

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET a path of this service."""
        return fetch(self.address, path, headers)


@contextmanager
def service(name: str, **env: str) -> Iterator[ServiceProcess]:
    """Run `services/NAME.py` on a port of the kernel's choice for the length of a block."""
    clean = {key: value for key, value in os.environ.items() if key not in MISBEHAVIOUR}
    command = [sys.executable, str(BOOKINFO / "services" / f"{name}.py")]
    with subprocess.Popen(command, env={**clean, "PORT": "0", **env}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said, _, address = process.stdout.readline().strip().partition(" ")
            assert said == "listening"
            yield ServiceProcess(process, address)
        finally:
            process.terminate()
            process.wait(WAIT)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that the proxy was asked to pass on: the URL in absolute form, the headers, and the client's connection."""

    url: str
    headers: Mapping[str, str]
    connection: tuple[str, int]


@dataclass(slots=True)
class Proxy:
    """A forward proxy for GET: `routes` lead a host to an address, `canned` answers instead of it; anything else is 503, as a sidecar says."""

    url: str = ""
    routes: dict[str, str] = field(default_factory=dict)
    canned: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, seen: Seen) -> tuple[int, bytes]:
        """Return status and body for one request."""
        self.seen.append(seen)
        target = urlsplit(seen.url)
        host = target.hostname or ""
        if host in self.canned:
            return self.canned[host]
        if host not in self.routes:
            return 503, b"no healthy upstream"
        reply = fetch(self.routes[host], target.path, seen.headers)
        return reply.status, reply.body

    def to(self, host: str) -> list[Seen]:
        """Return the requests for one host."""
        return [seen for seen in self.seen if urlsplit(seen.url).hostname == host]


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a Proxy for the length of a block."""
    state = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = state.answer(Seen(self.path, headers, (str(self.client_address[0]), int(self.client_address[1]))))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given by http.server
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(WAIT)


@dataclass(slots=True)
class Bookinfo:
    """All services behind one proxy."""

    proxy: Proxy
    services: dict[str, ServiceProcess]

    @property
    def front(self) -> ServiceProcess:
        """The productpage."""
        return self.services["productpage"]


@contextmanager
def bookinfo(reviews: str = "reviews-v2") -> Iterator[Bookinfo]:
    """Run productpage, details, one version of reviews, ratings and outside for the length of a block."""
    with ExitStack() as stack:
        between = stack.enter_context(proxy())
        names = {
            "details": "details-v1",
            "reviews": reviews,
            "ratings": "ratings-v1",
            "outside": "outside",
            "productpage": "productpage-v1",
        }
        running = {name: stack.enter_context(service(name, WORKLOAD=workload, http_proxy=between.url)) for name, workload in names.items()}
        between.routes = {name: running[name].address for name in ("details", "reviews", "ratings")}
        between.routes["quotes.example.org"] = running["outside"].address
        yield Bookinfo(between, running)
