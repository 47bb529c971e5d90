"""A reusable xDS server: resources with content hashes, SotW and Delta stream state machines, and the gRPC server around them.

Knows Envoy's discovery protocol and nothing of meshes: who a proxy is and what it should hold is answered by a ``Discovery``
(``xds.discovery``). All modules but ``ads``, ``connections`` and ``budget`` are free of I/O, clocks and asyncio, so that the protocol is testable without a socket.
If a piece of code needs to know what a VirtualService is, it belongs into ``controlplane``; if it looks inside a Cluster, into ``compiler``.
"""
