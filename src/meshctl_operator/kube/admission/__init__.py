"""The validating admission webhook: rejects what ``meshctl validate`` rejects, and warns of what is wrong between objects.

``review`` is a pure function of a request and of facts; ``facts`` answer what a change would do to the mesh; ``server`` serves HTTPS in a
thread of its own; ``certificates``, ``secrets`` and ``rotation`` keep the certificate that all replicas share. Findings between objects
never reject, and an error of ours neither: a webhook that is broken must not stop a cluster.
"""
