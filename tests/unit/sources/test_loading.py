"""A file offers objects, and says what is wrong with the rest."""

from __future__ import annotations

from pathlib import Path

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.files import read_text
from meshctl_operator.sources.loading import load

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec:\n  ports:\n  - {port: %s, name: http}\n"


def test_objects_are_accepted_or_rejected_one_by_one() -> None:
    """A rejected object has its findings with file and line."""
    loaded = load(SERVICE % ("a", 80) + "---\n" + SERVICE % ("b", "x"), "f.yaml", "shop")
    assert list(loaded.accepted) == [ObjectKey("Service", "shop", "a")]
    (rejected,) = loaded.rejected.values()
    assert (rejected.diagnostics[0].source, rejected.diagnostics[0].line) == ("f.yaml", 13)
    assert not loaded.broken


def test_kinds_that_are_not_enforced_are_findings_of_the_file() -> None:
    """They are no objects of ours, and never silent; kinds that mean nothing to a mesh are silent."""
    text = (
        "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Event\nmetadata: {name: b}\n"
    )
    loaded = load(text, "f.yaml", "default")
    assert not loaded.accepted
    assert [finding.subject.kind for finding in loaded.findings] == ["Telemetry"]


def test_the_first_of_two_equal_keys_counts() -> None:
    """The second is reported with the place of the first."""
    loaded = load(SERVICE % ("a", 80) + "---\n" + SERVICE % ("a", 81), "f.yaml", "default")
    (upsert,) = loaded.accepted.values()
    assert upsert.object.spec.ports[0].port == 80
    (finding,) = loaded.findings
    assert (finding.code, finding.line) == (codes.DEFINED_TWICE.code, 8)
    assert "f.yaml:1" in finding.message


def test_what_cannot_be_parsed_makes_the_file_broken() -> None:
    """Objects that seem to be gone may be in the broken part."""
    assert load("a: [\n---\n" + SERVICE % ("a", 80), "f.yaml", "default").broken
    assert load("kind: Service\n", "f.yaml", "default").broken
    unreadable = read_text(Path("/nonexistent/f.yaml"))
    assert load(unreadable, "f.yaml", "default").broken


def test_a_file_without_a_last_line_break_may_go_on() -> None:
    """Its last object is the one that may be incomplete; JSON ends with its bracket."""
    text = SERVICE % ("a", 80)
    assert load(text, "f.yaml", "default").unfinished is None
    assert load(text.rstrip(), "f.yaml", "default").unfinished is None, "ends with a bracket"
    assert load(text + "  type: ClusterIP", "f.yaml", "default").unfinished == ObjectKey("Service", "default", "a")


def test_blank_files_are_known_as_such() -> None:
    """That is what a file looks like that is being written."""
    assert load(" \n", "f.yaml", "default").blank
    assert not load("# none\n", "f.yaml", "default").blank
