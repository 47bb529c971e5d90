"""Narrow views of the Kubernetes kinds that we read: the fields that config depends on, and nothing else.

Unknown fields are ignored, so a new Kubernetes release breaks nothing. A view is what ``ConfigObject.spec`` holds: of kinds with a
``spec`` it has the fields of the spec and, where we need it, ``status``; of the others it has the fields of the object.
"""
