"""Rules that look at one object alone: what Istio's admission refuses or warns about, and what Envoy is known to refuse.

One module per kind; each rule writes a finding with its path and keeps going, so that all findings of an object come in one pass.
Nothing here looks at a second object, changes an object or raises.
"""
