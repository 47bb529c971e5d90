"""Typed config objects: the seven routing kinds of Istio, and narrow views of the Kubernetes kinds that we read.

One module per kind holds its structure (pydantic, frozen, unknown fields are errors in ours and ignored in Kubernetes kinds); the
modules under ``validation`` hold the rules that look at one object alone. Nothing here knows of a second object: a rule that compares
objects belongs to ``analysis`` or ``model``.
"""
