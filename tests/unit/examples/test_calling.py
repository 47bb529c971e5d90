"""How bookinfo services call each other: through the proxy, with the headers that must go on, over kept connections."""

import importlib
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from tests.unit.examples.bookinfo_processes import BOOKINFO, Bookinfo, Proxy, service

TRACE = {
    "x-request-id": "7f6c",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "vendor=1",
    "b3": "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
    "x-b3-traceid": "463ac35c9f6413ad48485a3953bb6124",
    "x-b3-spanid": "a2fb4a1d1a96d312",
    "x-b3-parentspanid": "0020000000000001",
    "x-b3-sampled": "1",
    "x-b3-flags": "0",
    "x-ot-span-context": "span",
}


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The shared modules of the services, imported as the scripts import them and forgotten afterwards."""
    monkeypatch.syspath_prepend(BOOKINFO / "services")
    names = ("serving", "calling")
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name, None)


def test_calls_go_through_the_proxy_in_absolute_form(books: Bookinfo) -> None:
    """With http_proxy set, the proxy is asked for the whole URL, port included, and the Host header says the same."""
    books.front.get("/api/v1/products/0")
    assert [seen.url for seen in books.proxy.seen] == [
        "http://details:9080/details/0",
        "http://reviews:9080/reviews/0",
        "http://ratings:9080/ratings/0",
    ]
    assert [seen.headers["host"] for seen in books.proxy.seen] == ["details:9080", "reviews:9080", "ratings:9080"]


def test_trace_headers_and_the_user_go_all_the_way(books: Bookinfo) -> None:
    """Trace headers, end-user and user-agent arrive at every service, ratings at the far end included."""
    sent = {**TRACE, "end-user": "jason", "user-agent": "tour/1"}
    books.front.get("/api/v1/products/0", sent)
    assert len(books.proxy.seen) == 3
    for seen in books.proxy.seen:
        assert {name: seen.headers.get(name) for name in sent} == sent


def test_nothing_else_goes_on(books: Bookinfo) -> None:
    """Cookies and credentials of the browser stay with the productpage."""
    books.front.get("/api/v1/products/0", {"cookie": "user=ada; session=secret", "authorization": "Basic eDp5", "x-other": "1"})
    for seen in books.proxy.seen:
        assert not {"cookie", "authorization", "x-other"} & set(seen.headers)


def test_connections_to_the_proxy_are_reused(books: Bookinfo) -> None:
    """Requests one after the other share the connection to the sidecar."""
    for _ in range(5):
        books.front.get("/api/v1/products/0")
    assert len({seen.connection for seen in books.proxy.to("reviews")}) == 1


def serve_one(listener: socket.socket) -> bytes:
    """Accept one connection, answer the request on it, and close it without a word; returns what was read."""
    peer, _ = listener.accept()
    with peer:
        read = peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
    return read


def close_one(listener: socket.socket) -> None:
    """Accept one connection and close it before any answer."""
    listener.accept()[0].close()


def test_a_connection_that_was_closed_while_idle_is_opened_anew(modules: dict[str, ModuleType]) -> None:
    """A kept connection that the other side closed costs no request."""
    caller = modules["calling"].Caller(timeout=5.0, proxy="")
    request = modules["serving"].Request("GET", "/", {}, {})
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            served = pool.submit(serve_one, listener)
            assert caller.get(f"http://127.0.0.1:{listener.getsockname()[1]}/x", request).ok
            assert served.result().startswith(b"GET /x HTTP/1.1\r\n")
    caller.close()


def test_a_request_on_a_new_connection_is_sent_once(modules: dict[str, ModuleType]) -> None:
    """Retrying is the mesh's business: a fresh connection that is closed before the answer is a failure at once."""
    caller = modules["calling"].Caller(timeout=5.0, proxy="")
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        closed = pool.submit(close_one, listener)
        reply = caller.get(f"http://127.0.0.1:{listener.getsockname()[1]}/x", modules["serving"].Request("GET", "/", {}, {}))
        closed.result()
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert reply.status == 502


def test_a_call_that_takes_too_long_is_504(modules: dict[str, ModuleType]) -> None:
    """The reply to a call without an answer says 504 and how long was waited."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        caller = modules["calling"].Caller(timeout=0.05, proxy=f"http://127.0.0.1:{silent.getsockname()[1]}")
        reply = caller.get("http://reviews:9080/reviews/0", modules["serving"].Request("GET", "/", {}, {}))
    assert reply.error() == {"error": 504, "message": "reviews did not answer within 0.05 s"}


def test_a_proxy_that_is_not_there_is_502(modules: dict[str, ModuleType]) -> None:
    """The reply to a call that finds no proxy says 502 and where it tried."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    caller = modules["calling"].Caller(timeout=5.0, proxy=f"http://127.0.0.1:{port}")
    reply = caller.get("http://reviews:9080/reviews/0", modules["serving"].Request("GET", "/", {}, {}))
    assert (reply.status, reply.ok) == (502, False)
    assert reply.message.startswith(f"reviews cannot be reached by 127.0.0.1:{port}: ")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"fault filter abort", {"error": 500, "message": "ratings answered 500: fault filter abort"}),
        (503, b'{"message": "told you"}', {"error": 503, "message": "ratings answered 503: told you"}),
        (404, b"", {"error": 404, "message": "ratings answered 404"}),
        (200, b"<html>", {"error": 502, "message": "ratings answered 200 with something that is no JSON object"}),
        (200, b"[1]", {"error": 502, "message": "ratings answered 200 with something that is no JSON object"}),
    ],
    ids=["plain text", "JSON", "nothing", "not JSON", "not an object"],
)
def test_errors_are_put_into_words(sidecar: Proxy, status: int, body: bytes, error: dict[str, object]) -> None:
    """A failed call keeps its status and what was said about it, and costs only what it was for."""
    sidecar.canned["ratings"] = status, body
    with service("reviews", WORKLOAD="reviews-v2", http_proxy=sidecar.url) as reviews:
        answer = reviews.get("/reviews/0")
    assert (answer.status, answer.at("ratings")) == (200, error)
