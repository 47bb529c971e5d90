"""The HTTP server for operators: health, metrics, and what each proxy was sent. Reads the control plane and changes nothing.

It is plain HTTP without authentication, so it listens on loopback unless told otherwise. Bodies of secrets are never shown.
"""
