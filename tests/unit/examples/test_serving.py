"""What all bookinfo services have in common: how they start, listen, count, misbehave on demand and end."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.unit.examples.bookinfo_processes import BOOKINFO, WAIT, ServiceProcess, fetch, service


@pytest.fixture(scope="module")
def ratings() -> Iterator[ServiceProcess]:
    """A ratings service."""
    with service("ratings", WORKLOAD="ratings-v1") as running:
        yield running


@pytest.mark.parametrize("name", ["productpage", "details", "reviews", "ratings", "outside"])
def test_every_service_listens_on_loopback_and_is_healthy(name: str) -> None:
    """PORT=0 lets the kernel choose; the first line of output says what it chose, and /health answers 200 with the name of the workload."""
    with service(name, WORKLOAD=f"{name}-v7") as running:
        assert running.address.startswith("127.0.0.1:")
        assert running.get("/health").json() == {"status": "ok", "workload": f"{name}-v7"}
        assert running.get("/nowhere").status == 404


def test_the_address_can_be_chosen() -> None:
    """ADDRESS names the address to listen on."""
    with service("outside", ADDRESS="127.0.0.1", WORKLOAD="outside") as running:
        assert running.get("/health").at("workload") == "outside"


def test_a_taken_port_is_said_in_one_line() -> None:
    """A port that somebody else has ends the process with status 1 and one line that names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, str(BOOKINFO / "services" / "details.py")]
        ended = subprocess.run(command, env={"PORT": str(port)}, capture_output=True, text=True, timeout=WAIT, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"details-v1: cannot listen on 127.0.0.1:{port}: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once(ending: signal.Signals) -> None:
    """SIGTERM and SIGINT end the process with status 0, even while a request is under way."""
    with service("ratings") as running:
        host, _, port = running.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=WAIT) as client:
            client.sendall(b"GET /ratings/0 HTTP/1.1\r\nhost: x\r\nx-request-id: a\r\nx-demo-slow: ratings=1\r\n\r\n")
            started = time.monotonic()
            running.process.send_signal(ending)
            assert running.process.wait(WAIT) == 0
            assert time.monotonic() - started < 1.0


def test_connections_are_kept(ratings: ServiceProcess) -> None:
    """HTTP/1.1: many requests share one connection."""
    connection = http.client.HTTPConnection(ratings.address, timeout=WAIT)
    connection.connect()
    local = connection.sock.getsockname()
    for _ in range(3):
        connection.request("GET", "/ratings/0")
        response = connection.getresponse()
        assert response.read()
        assert not response.will_close
        assert connection.sock.getsockname() == local
    connection.close()


def test_head_has_no_body(ratings: ServiceProcess) -> None:
    """HEAD answers as GET does, with the same length and no body."""
    head, get = fetch(ratings.address, "/ratings/0", method="HEAD"), ratings.get("/ratings/0")
    assert (head.status, head.headers["content-length"], head.body) == (200, get.headers["content-length"], b"")


@pytest.mark.parametrize("headers", [{"content-length": "99999999"}, {"transfer-encoding": "chunked"}], ids=["too long", "length unknown"])
def test_bodies_are_bounded(ratings: ServiceProcess, headers: dict[str, str]) -> None:
    """A body that is too long, or whose length is not said, is refused, and the connection closed."""
    answer = fetch(ratings.address, "/ratings/0", headers, method="POST")
    assert (answer.status, answer.headers["connection"]) == (411, "close")


def test_stats_count_requests_but_not_questions_about_them() -> None:
    """/stats tells requests, paths and the last headers; /health, /healthz and /stats themselves are not counted."""
    with service("ratings", WORKLOAD="ratings-v1") as running:
        for path in ("/health", "/healthz", "/stats"):
            running.get(path)
        assert running.get("/stats").json() == {"workload": "ratings-v1", "requests": 0, "by_path": {}, "last_headers": {}}
        running.get("/ratings/0")
        running.get("/ratings/0", {"end-user": "ada"})
        running.get("/ratings/1")
        stats = running.get("/stats")
    assert stats.at("requests") == 3
    assert stats.at("by_path") == {"/ratings/0": 2, "/ratings/1": 1}
    assert stats.at("last_headers", "end-user") is None


def test_the_first_attempts_fail_on_demand(ratings: ServiceProcess) -> None:
    """x-demo-fail spoils the first attempts of one request id, and names the application or the workload."""
    for directive in ("ratings=2", "details=9, ratings-v1=2"):
        headers = {"x-request-id": directive, "x-demo-fail": directive}
        assert [ratings.get("/ratings/0", headers).status for _ in range(4)] == [503, 503, 200, 200]
    assert (
        ratings.get("/ratings/0", {"x-request-id": "other", "x-demo-fail": "ratings=1"}).at("message")
        == "ratings-v1 fails attempt 1 on demand"
    )


@pytest.mark.parametrize("directive", ["details=3", "ratings-v2=3", "ratings", "ratings=x", "ratings=-1", ""])
def test_others_are_not_spoilt(ratings: ServiceProcess, directive: str) -> None:
    """A directive that names somebody else, or says no number, changes nothing."""
    assert ratings.get("/ratings/0", {"x-request-id": f"not {directive}", "x-demo-fail": directive}).status == 200


def test_without_a_request_id_each_request_is_a_first_attempt(ratings: ServiceProcess) -> None:
    """Attempts are told apart by x-request-id alone."""
    assert [ratings.get("/ratings/0", {"x-demo-fail": "ratings=1"}).status for _ in range(2)] == [503, 503]


def test_the_first_attempt_is_late_on_demand(ratings: ServiceProcess) -> None:
    """x-demo-slow delays the first attempts and answers them well all the same; the next one is prompt."""
    headers = {"x-request-id": "slow", "x-demo-slow": "ratings=1"}
    durations = []
    for _ in range(2):
        started = time.monotonic()
        assert ratings.get("/ratings/0", headers).status == 200
        durations.append(time.monotonic() - started)
    assert durations[0] >= 2.0 > durations[1]


def test_fail_first_holds_for_every_request() -> None:
    """FAIL_FIRST=1 in the environment fails the first attempt of each request."""
    with service("ratings", FAIL_FIRST="1") as running:
        assert [running.get("/ratings/0", {"x-request-id": name}).status for name in ("a", "a", "b", "b")] == [503, 200, 503, 200]


def test_requests_are_logged_only_when_asked() -> None:
    """VERBOSE=1 gives a line for each request on standard error; without it there is none."""
    command = [sys.executable, str(BOOKINFO / "services" / "details.py")]
    said = {}
    for verbose in ("0", "1"):
        with subprocess.Popen(
            command, env={"PORT": "0", "VERBOSE": verbose}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            fetch(address, "/details/0")
            process.terminate()
            said[verbose] = process.communicate(timeout=WAIT)[1]
    assert said["0"] == ""
    assert said["1"].splitlines() == ['details-v1 "GET /details/0 HTTP/1.1" 200 -']
