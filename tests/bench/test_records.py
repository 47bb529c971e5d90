"""Results are kept as lines, and compared as ratios that a slower machine does not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.bench.compare import figures, main
from tests.bench.records import BASELINES, append, new_record, newest, read
from tests.support.load.machine import calibration
from tests.support.load.serving import histogram_between


def server_record(last: float, messages: int, speed: float) -> dict[str, Any]:
    """Return the record of a run with one event."""
    ack = {"first": last, "p50": last, "p99": last, "last": last}
    event = {"event": "E1", "ack_ms": ack, "server_cpu_s": 0.1, "server_rss_mib": 100.0, "megabytes": 0.1, "messages": messages}
    size = {"services": 10, "clients": 5}
    return {"benchmark": "server", "size": size, "commit": "abc", "calibration": {"json_ms": speed}, "events": [event, event]}


def test_runs_are_appended_and_the_newest_counts(tmp_path: Path) -> None:
    """One line a run; of several of one size the last is compared."""
    for last in (1.0, 2.0):
        append(server_record(last, 5, 10.0), tmp_path)
    assert (tmp_path / "server.jsonl").read_text().count("\n") == 2
    (record,) = newest(read(tmp_path)).values()
    assert {name: value for name, value, _ in figures(record)}["E1 last ms"] == 2.0


def test_a_record_says_what_it_was_measured_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions, cores, load, and the speed of the day."""
    monkeypatch.setattr("tests.bench.records.calibration", lambda: {"json_ms": 1.0})
    record = new_record("server", {"clients": 1})
    assert {"python", "cores", "load", "versions", "calibration", "commit", "at"} <= record.keys()
    json.dumps(record)


def test_the_calibration_takes_time() -> None:
    """Both loops are long enough to be measured."""
    assert all(took > 0 for took in calibration().values())


@pytest.mark.parametrize(("last", "messages", "shown"), [(10.0, 5, []), (40.0, 5, ["E1 last ms"]), (10.0, 50, ["E1 messages"])])
def test_ratios_are_scaled_by_the_speed_of_the_machine(tmp_path: Path, last: float, messages: int, shown: list[str]) -> None:
    """A machine that is half as fast may take twice as long; what differs more is shown, counts are not scaled."""
    append(server_record(5.0, 5, 10.0), tmp_path / "old")
    now = server_record(last, messages, 20.0)
    now["events"] = [event | {"server_cpu_s": 0.2} for event in now["events"]]
    append(now, tmp_path / "new")
    done = CliRunner().invoke(main, ["--runs", str(tmp_path / "new"), "--baseline", str(tmp_path / "old")])
    assert done.exit_code == 0, done.output
    assert [name for name in ("E1 last ms", "E1 messages", "E1 cpu s") if name in done.output] == shown


def test_results_become_the_baseline(tmp_path: Path) -> None:
    """``--accept`` replaces the lines of the same size, and keeps the others."""
    other = server_record(1.0, 1, 10.0) | {"size": {"services": 99, "clients": 1}}
    for record in (server_record(5.0, 5, 10.0), other):
        append(record, tmp_path / "old")
    append(server_record(7.0, 5, 10.0), tmp_path / "new")
    done = CliRunner().invoke(main, ["--runs", str(tmp_path / "new"), "--baseline", str(tmp_path / "old"), "--accept"])
    assert done.exit_code == 0, done.output
    lasts = sorted(record["events"][0]["ack_ms"]["last"] for record in read(tmp_path / "old"))
    assert lasts == [1.0, 7.0]


def test_the_committed_baseline_can_be_read() -> None:
    """Every line has figures."""
    assert all(list(figures(record)) for record in read(BASELINES))


def test_a_histogram_is_read_between_two_moments() -> None:
    """Only what came in between counts; nothing in between is no figure."""
    before = {("lag_bucket", 'le="0.01"'): 5.0, ("lag_bucket", 'le="0.1"'): 6.0, ("lag_bucket", 'le="+Inf"'): 6.0}
    after = {("lag_bucket", 'le="0.01"'): 205.0, ("lag_bucket", 'le="0.1"'): 207.0, ("lag_bucket", 'le="+Inf"'): 207.0}
    assert histogram_between(before, after, "lag") == {"p99_ms": 10.0, "max_ms": 100.0}
    assert histogram_between(after, after, "lag") is None
    beyond = {**after, ("lag_bucket", 'le="+Inf"'): 208.0}
    assert histogram_between(before, beyond, "lag") == {"p99_ms": 10.0, "max_ms": None}
