"""A load of simulated Envoys for benchmarks: many Delta ADS clients in one process that is not the server's, cheap enough not to be the result.

Clients speak raw HTTP/2 frames over non-blocking sockets and read responses from the wire format; nothing here imports the control plane,
so that whatever serves Delta ADS in plaintext can be measured. What each module must not do: ``frames``, ``wire`` and ``envoys`` are plain
state machines (bytes in, bytes out); sockets and the clock belong to ``generator``, processes and files to ``control``, ``serving`` and ``folder``.
"""
