"""All rules of a family."""

from __future__ import annotations

from ipaddress import ip_address

from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions
from meshctl_operator.interception.plan import plan_rules
from meshctl_operator.interception.rules import Table


def test_every_table_takes_part() -> None:
    """In one order, whatever the options."""
    options = InterceptionOptions(mode=CaptureMode.TPROXY, redirect_dns=True, dns_servers=(ip_address("10.96.0.10"),))
    tables = [rule.table for rule in plan_rules(options, Family.IPV4)]
    assert list(dict.fromkeys(tables)) == [Table.NAT, Table.RAW, Table.MANGLE]
    assert {rule.table for rule in plan_rules(InterceptionOptions(), Family.IPV6)} == {Table.NAT}
