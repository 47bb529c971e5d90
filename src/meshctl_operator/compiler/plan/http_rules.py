"""The HTTP rules of one VirtualService, compiled as far as no proxy is needed to know it. What Envoy would refuse ends here."""

from __future__ import annotations

from dataclasses import dataclass

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import CorsInput, FaultInput, HeaderOperationsInput, RetryInput
from meshctl_operator.compiler.plan.route_actions import ActionPlan, Report, plan_action
from meshctl_operator.compiler.plan.route_cors import plan_cors
from meshctl_operator.compiler.plan.route_faults import plan_fault
from meshctl_operator.compiler.plan.route_headers import plan_headers
from meshctl_operator.compiler.plan.route_matches import EVERY_REQUEST, MatchBlock, plan_match
from meshctl_operator.compiler.plan.route_retries import default_retries
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.virtual_services import HttpRule, Place, resolved


@dataclass(frozen=True, slots=True)
class RulePlan:
    """One rule. ``has_match`` is false where the user gave no match block: then ``blocks`` is the one that every request satisfies.

    ``place`` and ``block_places`` are where the rule and each of its blocks were written.
    """

    name: str
    blocks: tuple[MatchBlock, ...]
    has_match: bool
    action: ActionPlan
    headers: HeaderOperationsInput
    fault: FaultInput | None
    cors: CorsInput | None
    place: Place
    block_places: tuple[Place, ...]

    @property
    def matches_everything(self) -> bool:
        """Whether no later rule is ever reached, whatever the proxy and port."""
        return not self.has_match or any(block.match.is_catch_all and block.conditions.always_hold for block in self.blocks)


def plan_http_rules(ctx: Context, key: ObjectKey) -> Compiled[tuple[RulePlan, ...]]:
    """Return the usable rules of the VirtualService in order, and what had to be left out or is never reached (tracked)."""
    item = ctx.derive(resolved, key)
    if item is None:
        return Compiled(())
    found: list[Diagnostic] = list(item.diagnostics)
    default_retry = default_retries(ctx)
    plans: list[RulePlan] = []
    stopper: HttpRule | None = None
    for rule in item.rules:
        plan = _rule(rule, default_retry, found.append)
        if stopper is not None:
            if rule.place.subject != stopper.place.subject:  # within one object admission says so already
                by = f"{stopper.place.path} of VirtualService {stopper.place.subject.namespace}/{stopper.place.subject.name}"
                message = f"is never reached: {by} matches every request before"
                found.append(codes.UNREACHABLE_RULE.warning(rule.place.subject, rule.place.path, message))
        elif plan is not None:
            plans.append(plan)
            stopper = rule if plan.matches_everything else None
    return Compiled(tuple(plans), tuple(found))


def _rule(item: HttpRule, default_retry: RetryInput | None, report: Report) -> RulePlan | None:
    rule = item.rule
    blocks: list[MatchBlock] = []
    places: list[Place] = []
    for block, place in zip(rule.match, item.blocks, strict=True):
        planned = plan_match(block, place)
        if isinstance(planned, Diagnostic):
            report(planned)
        else:
            blocks.append(planned)
            places.append(place)
    headers = plan_headers(rule.headers, item.place_of("headers", "headers"), report)
    action = plan_action(item, default_retry, headers, report)
    if isinstance(action, Diagnostic):
        report(action)
        return None
    if rule.match and not blocks:
        return None
    return RulePlan(
        name=rule.name,
        blocks=tuple(blocks) if rule.match else (EVERY_REQUEST,),
        has_match=bool(rule.match),
        action=action,
        headers=headers.operations,
        fault=plan_fault(rule.fault, item.place_of("fault", "fault"), report),
        cors=plan_cors(rule.cors_policy, item.place_of("cors_policy", "corsPolicy"), report),
        place=item.place,
        block_places=tuple(places) if rule.match else (item.place,),
    )
