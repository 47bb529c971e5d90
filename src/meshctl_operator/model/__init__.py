"""Derived facts of the mesh: services, workloads, endpoints, policies, routes, gateways, scopes and views.

Functions here are tracked: they take a ``Context`` first and read config objects through it alone, from the narrowest cell that will do.
Values are frozen. Model words only (service, subset, traffic policy, workload); Envoy's words belong to ``compiler``. No I/O, no clock.
"""
