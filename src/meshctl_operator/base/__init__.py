"""Values and protocols that know nothing of meshes: host names, labels, durations, diagnostics, errors, clocks.

Imports the standard library and pydantic only. Everything here is immutable and free of I/O. If a function needs to know what a
VirtualService or a Cluster is, it belongs higher up.
"""
