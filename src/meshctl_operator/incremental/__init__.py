"""Generic tracked computation: remembers what each result was computed from, and recomputes only what that makes stale.

It knows nothing of meshes: cells are opaque keys, values are compared with ``==``. No I/O, no clock, no threads.
"""
