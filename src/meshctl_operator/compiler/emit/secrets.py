"""SDS secrets (``envoy.extensions.transport_sockets.tls.v3.Secret``)."""

from __future__ import annotations

from typing import assert_never

from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from meshctl_operator.compiler.inputs.secrets import AuthorityInput, FileAuthorityInput, FilePairInput, KeyPairInput, SecretInput


def emit_secret(secret: SecretInput) -> secret_pb2.Secret:
    """Return the secret, with the bytes themselves or with the paths of files. Envoy watches files that come by SDS."""
    message = secret_pb2.Secret(name=secret.name)
    match secret:
        case KeyPairInput():
            message.tls_certificate.certificate_chain.inline_bytes = secret.certificate_chain
            message.tls_certificate.private_key.inline_bytes = secret.private_key
            if secret.ocsp_staple:
                message.tls_certificate.ocsp_staple.inline_bytes = secret.ocsp_staple
        case AuthorityInput():
            message.validation_context.trusted_ca.inline_bytes = secret.certificates
            if secret.revoked:
                message.validation_context.crl.inline_bytes = secret.revoked
        case FilePairInput():
            message.tls_certificate.certificate_chain.filename = secret.certificate_chain
            message.tls_certificate.private_key.filename = secret.private_key
        case FileAuthorityInput():
            message.validation_context.trusted_ca.filename = secret.certificates
        case _:
            assert_never(secret)
    return message
