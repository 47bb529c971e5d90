"""Rules of one VirtualService without any proxy."""

from __future__ import annotations

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.routes import CorsInput, FaultAbortInput, FaultInput
from meshctl_operator.compiler.plan.http_rules import plan_http_rules
from meshctl_operator.compiler.plan.route_matches import EVERY_REQUEST
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import virtual_service

KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "vs")
ROUTE = "route: [{destination: {host: a}}]"


def test_rule_without_match_has_one_block() -> None:
    """A rule without blocks matches every request."""
    (rule,) = TextMesh(virtual_service("vs", f"{{hosts: [a], http: [{{{ROUTE}}}]}}")).evaluate(plan_http_rules, KEY).value
    assert (rule.blocks, rule.has_match, rule.matches_everything) == ((EVERY_REQUEST,), False, True)


def test_fault_and_cors_are_carried() -> None:
    """Filters of a rule go along with it."""
    rules = f"[{{corsPolicy: {{}}, fault: {{abort: {{httpStatus: 503}}}}, {ROUTE}}}]"
    (rule,) = TextMesh(virtual_service("vs", f"{{hosts: [a], http: {rules}}}")).evaluate(plan_http_rules, KEY).value
    assert (rule.cors, rule.fault) == (CorsInput(), FaultInput(abort=FaultAbortInput(http_status=503)))


def test_conditional_catch_all_stops_nothing() -> None:
    """A block that depends on the proxy does not make later rules unreachable."""
    rules = f"[{{match: [{{sourceLabels: {{app: x}}}}], {ROUTE}}}, {{name: later, {ROUTE}}}]"
    found = TextMesh(virtual_service("vs", f"{{hosts: [a], http: {rules}}}")).evaluate(plan_http_rules, KEY)
    assert [rule.name for rule in found.value] == ["", "later"]


def test_rule_behind_a_delegates_catch_all() -> None:
    """A rule of the root that follows a delegate which takes everything is never reached, and only here that is known."""
    mesh = TextMesh(
        virtual_service("vs", f"{{hosts: [a], http: [{{delegate: {{name: all}}}}, {{match: [{{uri: {{prefix: /x}}}}], {ROUTE}}}]}}")
        + virtual_service("all", f"{{http: [{{{ROUTE}}}]}}")
    )
    found = mesh.evaluate(plan_http_rules, KEY)
    assert len(found.value) == 1
    assert [(finding.code, finding.path) for finding in found.diagnostics] == [("MC2208", "spec.http[1]")]


def test_absent_virtual_service() -> None:
    """A key that nothing stands for has no rules."""
    assert TextMesh("").evaluate(plan_http_rules, KEY).value == ()
