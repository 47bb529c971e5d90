"""The HTTP server that every bookinfo service runs: standard library only, one thread for each connection, HTTP/1.1 with keep-alive.

In: the environment (`PORT`, `ADDRESS`, `WORKLOAD`, `FAIL_FIRST`, `VERBOSE`) and a function from `Request` to `Response`. Out: a process that prints
`listening ADDRESS:PORT` as its first line and answers until SIGTERM. `/health`, `/healthz` and `/stats` are answered here, alike for every service.

It also holds the two ways to misbehave on demand, so that time-outs and retries of the mesh can be watched on a service that is otherwise well:
`x-demo-fail: reviews=2` makes `reviews` answer 503 to the first two attempts of a request, `x-demo-slow: reviews=2` makes it answer them late.
"""

import json
import os
import signal
import socketserver
import sys
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import parse_qsl, urlsplit

SLOW_SECONDS = 2.0  # what "late" means for x-demo-slow: longer than any time-out per attempt that one would set in a demo
MAX_BODY = 64 * 1024  # the only body that we read is the sign-in form
REMEMBERED_REQUESTS = 4096  # attempts are counted per request id; old ones are forgotten, or a long load test would fill the memory
REMEMBERED_PATHS = 100  # as above, for /stats
HEALTH_PATHS = frozenset({"/health", "/healthz"})
STATS_PATH = "/stats"


@dataclass(frozen=True, slots=True)
class Request:
    """One request: header names in lower case; `attempt` is 1, or more when the mesh tries the same request id again."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    attempt: int = 1
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer; the content length is added by the server."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


Handle = Callable[[Request], Response]


def json_response(value: object, status: int = 200) -> Response:
    """Answer `value` as indented JSON, since people read it with curl."""
    return Response(status, json.dumps(value, indent=2).encode() + b"\n", "application/json")


def not_found(request: Request) -> Response:
    """Answer 404 and name the path."""
    return json_response({"error": 404, "message": f"there is nothing at {request.path}"}, 404)


def workload_name(app: str) -> str:
    """Return the name that this process goes by: `WORKLOAD`, or the first version of `app`."""
    return os.environ.get("WORKLOAD") or f"{app}-v1"


def asked_for(directive: str, workload: str) -> int:
    """Return how many attempts an `x-demo-*` header asks `workload` to spoil: `reviews=2,ratings-v1=1` names applications or workloads."""
    app = workload.rpartition("-")[0] or workload
    for part in directive.split(","):
        name, _, count = part.partition("=")
        if name.strip() in (app, workload) and count.strip().isdigit():
            return int(count)
    return 0


@dataclass(slots=True)
class Attempts:
    """Count how often each request id came by, since a retry of the mesh repeats the id."""

    seen: OrderedDict[tuple[str, str], int] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def number(self, request_id: str, path: str) -> int:
        """Return the number of this attempt; a request without an id is always the first."""
        if not request_id:
            return 1
        with self.lock:
            number = self.seen.pop((request_id, path), 0) + 1
            self.seen[request_id, path] = number
            if len(self.seen) > REMEMBERED_REQUESTS:
                self.seen.popitem(last=False)
            return number


@dataclass(slots=True)
class Stats:
    """What `/stats` tells: how many requests came, for which paths, and the headers of the last one."""

    by_path: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    last_headers: Mapping[str, str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, path: str, headers: Mapping[str, str]) -> None:
        """Count one request."""
        with self.lock:
            self.requests += 1
            self.last_headers = headers
            if path in self.by_path or len(self.by_path) < REMEMBERED_PATHS:
                self.by_path[path] += 1

    def as_json(self, workload: str) -> dict[str, object]:
        """Return the counters for JSON."""
        with self.lock:
            return {"workload": workload, "requests": self.requests, "by_path": dict(self.by_path), "last_headers": dict(self.last_headers)}


class Service(ThreadingHTTPServer):
    """One service: where it listens, what it is called, how it answers."""

    request_queue_size = 128
    block_on_close = False

    def __init__(self, address: tuple[str, int], workload: str, handle: Handle) -> None:
        """Bind `address`; port 0 lets the kernel choose."""
        self.workload = workload
        self.handle = handle
        self.stats = Stats()
        self.attempts = Attempts()
        self.fail_first = int(os.environ.get("FAIL_FIRST") or 0)
        self.verbose = os.environ.get("VERBOSE") == "1"
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """Bind without the reverse look-up of `HTTPServer`, which waits for DNS where there is none."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a client went away, which is its right; everything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed's names for the same two values

    def answer(self, request: Request) -> Response:
        """Answer the paths that all services share, misbehave when asked to, or ask the service itself."""
        if request.path in HEALTH_PATHS:
            return json_response({"status": "ok", "workload": self.workload})
        if request.path == STATS_PATH:
            return json_response(self.stats.as_json(self.workload))
        self.stats.count(request.path, request.headers)
        if request.attempt <= asked_for(request.headers.get("x-demo-slow", ""), self.workload):
            time.sleep(SLOW_SECONDS)
        if request.attempt <= max(self.fail_first, asked_for(request.headers.get("x-demo-fail", ""), self.workload)):
            message = f"{self.workload} fails attempt {request.attempt} on demand"
            return json_response({"error": 503, "message": message}, 503)
        return self.handle(request)


class Connection(BaseHTTPRequestHandler):
    """One connection: read a request, write an answer, until either side closes."""

    protocol_version = "HTTP/1.1"
    server_version = "bookinfo"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet; two would meet delayed ACKs, at 40 ms a request
    server: Service

    def do_GET(self) -> None:
        """Answer GET."""
        self._answer(b"")

    def do_HEAD(self) -> None:
        """Answer HEAD as GET, without the body."""
        self._answer(b"")

    def do_POST(self) -> None:
        """Answer POST with a body of known length."""
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.close_connection = True  # the unread body would be taken for the next request
            self._write(json_response({"error": 411, "message": f"a body needs a content-length of at most {MAX_BODY}"}, 411))
            return
        self._answer(self.rfile.read(int(length)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given by http.server
        """Write one line for each request, with VERBOSE=1 only."""
        if self.server.verbose:
            print(self.server.workload, format % args, file=sys.stderr, flush=True)

    def _answer(self, body: bytes) -> None:
        """Turn what was read into a Request, and the Response into bytes."""
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        # Health checks and /stats carry ids of their own; only real requests have attempts.
        attempt = self.server.attempts.number(headers.get("x-request-id", ""), url.path)
        request = Request(self.command, url.path, dict(parse_qsl(url.query)), headers, attempt, body)
        try:
            response = self.server.answer(request)
        except Exception:
            self._write(json_response({"error": 500, "message": f"{self.server.workload} broke; its log says where"}, 500))
            raise
        self._write(response)

    def _write(self, response: Response) -> None:
        """Write one response."""
        self.send_response(response.status)
        self.send_header("content-type", response.content_type)
        self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        for name, value in response.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)


def end_at_once(_signal: int, _frame: FrameType | None) -> None:
    """End the process now: requests under way are the mesh's to retry."""
    os._exit(0)  # an orderly interpreter exit may wait for, or trip over, threads that still write


def serve(app: str, handle: Handle) -> None:
    """Run the service `app` until it is told to end; exits 1 when the address cannot be had."""
    signal.signal(signal.SIGTERM, end_at_once)
    signal.signal(signal.SIGINT, end_at_once)
    address, port = os.environ.get("ADDRESS") or "127.0.0.1", int(os.environ.get("PORT") or 9080)
    workload = workload_name(app)
    try:
        service = Service((address, port), workload, handle)
    except OSError as error:
        sys.exit(f"{workload}: cannot listen on {address}:{port}: {error.strerror}")
    print(f"listening {service.server_name}:{service.server_port}", flush=True)
    service.serve_forever()
