"""Say which iptables rules send the traffic of a pod through its sidecar: options in, rules out, in one fixed order.

Pure: nothing is applied, no interface or resolver is looked at, no process started; ``meshctl iptables`` does that. One rule is one value
(``rules.Rule``), and the order in which a function yields rules is the order in which the kernel sees them. A new condition becomes a
field of ``options.InterceptionOptions`` and one line in the module of the table that it concerns.
"""
