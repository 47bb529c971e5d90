"""Which condition a finding belongs to."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.base.codes import catalogue
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.cli.docs import load_catalogue
from meshctl_operator.status.conditions import LONGEST_MESSAGE, ConditionType, Reason
from meshctl_operator.status.findings import EFFECTS, clipped, sort_findings, told
from tests.support.conditions import KEY, finding


def test_the_codes_exist() -> None:
    """The table names codes of the catalogue only."""
    load_catalogue()
    assert set(EFFECTS) <= set(catalogue())


def test_errors_of_structure_and_rules_are_why_it_is_not_accepted() -> None:
    """An error that looks at the object alone rejects it; a warning of the same kind is a remark."""
    error, warning = finding("MC1021", severity=Severity.ERROR), finding("MC1021", "is odd")
    found = sort_findings(KEY, [error, warning])
    assert found.invalid == (error,)
    assert found.remarks == (warning,)
    assert not found.effects


def test_an_error_in_use_leaves_out_a_part() -> None:
    """What compiling leaves out makes an object partly invalid, whatever the code; a warning does not."""
    found = sort_findings(KEY, [finding("MC2212", severity=Severity.ERROR), finding("MC2204")])
    assert found.effects[ConditionType.PARTIALLY_INVALID][0] is Reason.PARTS_LEFT_OUT
    assert [remark.code for remark in found.remarks] == ["MC2204"]
    assert not found.invalid


def test_a_finding_can_have_two_effects() -> None:
    """A DestinationRule about no service refers to nothing and applies to nothing."""
    found = sort_findings(KEY, [finding("MC2310")])
    assert {of: reason for of, (reason, _) in found.effects.items()} == {
        ConditionType.RESOLVED_REFS: Reason.HOST_NOT_FOUND,
        ConditionType.NOT_APPLIED: Reason.MATCHES_NOTHING,
    }


def test_the_first_finding_gives_the_reason() -> None:
    """Findings are sorted by path, so the reason does not depend on the order in which they come."""
    late, early = finding("MC2202", path="spec.http[1]"), finding("MC2201", path="spec.http[0]")
    for given in ([late, early], [early, late]):
        assert sort_findings(KEY, given).effects[ConditionType.RESOLVED_REFS] == (Reason.HOST_NOT_FOUND, (early, late))


def test_what_does_not_count() -> None:
    """Findings about other objects, what proxies said, and explanations change nothing."""
    other = replace(finding("MC2201"), subject=ObjectKey("VirtualService", "shop", "other"))
    found = sort_findings(KEY, [other, finding("MC3001", severity=Severity.ERROR), finding("MC2204", severity=Severity.INFO)])
    assert (found.invalid, dict(found.effects), found.remarks) == ((), {}, ())


def test_message() -> None:
    """A message names path, mistake and way out; of many findings the first few are told."""
    assert told([finding("MC2201")]) == "spec.hosts[0] is wrong (put it right) [MC2201]"
    assert told([replace(finding("MC2201"), path="", hint=None)] * 5).endswith("; is wrong [MC2201]; and 2 more")


def test_a_message_is_not_too_long() -> None:
    """Nobody can make a status grow without end."""
    assert clipped("x" * LONGEST_MESSAGE) == "x" * LONGEST_MESSAGE
    assert len(clipped("x" * 5000)) == LONGEST_MESSAGE
