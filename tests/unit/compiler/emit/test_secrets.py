"""SDS secrets as messages."""

from __future__ import annotations

import base64

from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.secrets import AuthorityInput, FileAuthorityInput, FilePairInput, KeyPairInput
from tests.support.mesh_text import as_json


def test_key_pair() -> None:
    """Certificate chain and key are inline, under the SDS name."""
    assert as_json(emit_secret(KeyPairInput("kubernetes://bk", b"CERT", b"KEY"))) == {
        "name": "kubernetes://bk",
        "tls_certificate": {
            "certificate_chain": {"inline_bytes": base64.b64encode(b"CERT").decode()},
            "private_key": {"inline_bytes": base64.b64encode(b"KEY").decode()},
        },
    }


def test_staple() -> None:
    """An answer of OCSP goes beside the certificate."""
    shown = as_json(emit_secret(KeyPairInput("kubernetes://bk", b"CERT", b"KEY", b"OCSP")))
    assert base64.b64decode(shown["tls_certificate"]["ocsp_staple"]["inline_bytes"]) == b"OCSP"


def test_authority() -> None:
    """An authority is a validation context, with its list of revoked certificates if there is one."""
    assert as_json(emit_secret(AuthorityInput("kubernetes://bk-cacert", b"CA")))["validation_context"] == {
        "trusted_ca": {"inline_bytes": base64.b64encode(b"CA").decode()}
    }
    revoked = as_json(emit_secret(AuthorityInput("kubernetes://bk-cacert", b"CA", b"CRL")))["validation_context"]["crl"]
    assert base64.b64decode(revoked["inline_bytes"]) == b"CRL"


def test_files() -> None:
    """Files are named, and read by the proxy."""
    assert as_json(emit_secret(FilePairInput("file-cert:/a~/b", "/a", "/b"))) == {
        "name": "file-cert:/a~/b",
        "tls_certificate": {"certificate_chain": {"filename": "/a"}, "private_key": {"filename": "/b"}},
    }
    assert as_json(emit_secret(FileAuthorityInput("file-root:/c", "/c")))["validation_context"] == {"trusted_ca": {"filename": "/c"}}
