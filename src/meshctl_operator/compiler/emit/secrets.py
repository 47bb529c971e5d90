"""SDS secrets (``envoy.extensions.transport_sockets.tls.v3.Secret``)."""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from meshctl_operator.compiler.inputs.secrets import SecretInput


def emit_secret(secret: SecretInput) -> secret_pb2.Secret:
    """Return the key pair as inline bytes."""
    message = secret_pb2.Secret(name=secret.name)
    message.tls_certificate.certificate_chain.inline_bytes = secret.certificate_chain
    message.tls_certificate.private_key.inline_bytes = secret.private_key
    return message
