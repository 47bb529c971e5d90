"""All rules of one address family, table by table."""

from __future__ import annotations

from meshctl_operator.interception.dns import dns_rules
from meshctl_operator.interception.mangle import mangle_rules
from meshctl_operator.interception.nat import nat_rules
from meshctl_operator.interception.options import Family, InterceptionOptions
from meshctl_operator.interception.rules import Rule


def plan_rules(options: InterceptionOptions, family: Family) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are added: ``nat``, DNS capture, ``mangle``. Tables are independent of each other."""
    return (*nat_rules(options, family), *dns_rules(options, family), *mangle_rules(options, family))
