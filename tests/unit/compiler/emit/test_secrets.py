"""SDS secrets as messages."""

from __future__ import annotations

import base64

from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.secrets import SecretInput
from tests.support.mesh_text import as_json


def test_key_pair() -> None:
    """Certificate chain and key are inline, under the SDS name."""
    assert as_json(emit_secret(SecretInput("kubernetes://bk", b"CERT", b"KEY"))) == {
        "name": "kubernetes://bk",
        "tls_certificate": {
            "certificate_chain": {"inline_bytes": base64.b64encode(b"CERT").decode()},
            "private_key": {"inline_bytes": base64.b64encode(b"KEY").decode()},
        },
    }
