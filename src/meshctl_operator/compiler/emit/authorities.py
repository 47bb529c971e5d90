"""SDS secrets that hold authorities (``CertificateValidationContext`` inside ``Secret``)."""

from __future__ import annotations

from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from meshctl_operator.compiler.inputs.authorities import AuthorityInput


def emit_authority(authority: AuthorityInput) -> secret_pb2.Secret:
    """Return the authorities as inline bytes."""
    message = secret_pb2.Secret(name=authority.name)
    message.validation_context.trusted_ca.inline_bytes = authority.certificates
    if authority.revoked:
        message.validation_context.crl.inline_bytes = authority.revoked
    return message
