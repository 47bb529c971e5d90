"""What is generated for the charts is what is committed, and the comments of values are read as they are meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.generate import CHARTS, NAMES, ROOT, generated
from deploy.values_comments import read, schema, table
from meshctl_operator import __version__

EXAMPLE = """
outer:
  # -- What it is for,
  # in two lines
  # @enum , one, two
  inner: ""
  # -- A port
  # @port
  port: 80
# -- A | B
# @type integer, string
either: 1
# -- Anything goes
open: {a: {b: c}}
"""


@pytest.mark.parametrize("path", sorted(generated()), ids=lambda path: str(path.relative_to(ROOT)))
def test_committed_files_are_up_to_date(path: Path) -> None:
    """``make generate`` changes nothing."""
    assert path.read_text() == generated()[path], "run make generate"


def test_the_chart_of_kinds_has_the_generated_kinds() -> None:
    """They are there once: the chart has a link, which Helm follows and packages."""
    assert (CHARTS / "meshctl-crds" / "files").resolve() == ROOT / "crds"


@pytest.mark.parametrize("name", NAMES)
def test_charts_are_of_our_version(name: str) -> None:
    """Chart, application and package are released together."""
    text = (CHARTS / name / "Chart.yaml").read_text()
    assert f"\nversion: {__version__}\n" in text
    assert f"\nappVersion: {__version__}\n" in text


def test_comments_become_a_table() -> None:
    """One row for each value that is described, with its default and the words that are allowed."""
    rows = table(read(EXAMPLE)).splitlines()
    assert rows[2] == '| `outer.inner` | `""` | What it is for, in two lines (empty, `one`, `two`) |'
    assert rows[4] == "| `either` | `1` | A \\| B |"
    assert len(rows) == 6


def test_comments_become_a_schema() -> None:
    """Types come from defaults unless stated; maps are closed unless described."""
    root = schema(read(EXAMPLE), "Example")
    properties = root["properties"]
    assert isinstance(properties, dict)
    assert root["additionalProperties"] is False
    assert properties["outer"]["additionalProperties"] is False
    assert properties["outer"]["properties"]["inner"]["enum"] == ["", "one", "two"]
    port = properties["outer"]["properties"]["port"]
    assert (port["type"], port["minimum"], port["maximum"]) == ("integer", 0, 65535)
    assert properties["either"]["type"] == ["integer", "string"]
    assert "additionalProperties" not in properties["open"]


@pytest.mark.parametrize(("text", "said"), [("a: 1\n", "no description of a"), ("# -- A\n# @huh 1\na: 1\n", "@huh means nothing")])
def test_comments_that_are_wrong_are_said(text: str, said: str) -> None:
    """A value without a description, and a line that nobody reads."""
    with pytest.raises(ValueError, match=said):
        schema(read(text), "Example")
