"""The local mesh of ``meshctl dev``: control plane, Envoys and workloads of a directory, on one machine, without root.

Owns processes, addresses and the terminal. It decides nothing about routing: it adds the objects that Kubernetes would have made
(EndpointSlices of the workloads it runs, Secrets for the certificates it was asked for) and otherwise runs the ordinary control plane.
Whatever starts here ends here: every process is stopped by its own id, also when the start fails half-way.
"""
