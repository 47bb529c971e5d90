"""SDS secrets: which Secret a name stands for, whether it can be used, and what is served of it.

A name that cannot be served is never referenced, so nothing here is asked for in vain: listeners call ``secret_problem`` first, and the
read is tracked, so a Secret that appears heals what was left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from meshctl_operator.apis.core.secret import SecretSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.secrets import SecretInput
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.views import SecretView
from meshctl_operator.registry.cells import object_cell

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

SCHEME: Final = "kubernetes://"
_OTHER_SCHEMES: Final = ("kubernetes-gateway://", "configmap://", "builtin://", "sds://")
MIN_RSA_BITS: Final = 2048
"""Envoy refuses shorter RSA keys, and every curve but these."""
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_KEY_PAIRS: Final = (("cert", "key"), ("tls.crt", "tls.key"))


class SecretFault(Enum):
    """Why a name cannot be served."""

    MISSING = auto()
    FOREIGN = auto()
    UNUSABLE = auto()


@dataclass(frozen=True, slots=True)
class SecretProblem:
    """Why a name cannot be served, in words that complete "the Secret ..."; never quotes a value."""

    fault: SecretFault
    message: str


def sds_name(credential: str) -> str | None:
    """Return the SDS name of a ``credentialName``, ``kubernetes://<name>``; None for sources other than Secrets."""
    if credential.startswith(_OTHER_SCHEMES):
        return None
    return credential if credential.startswith(SCHEME) else SCHEME + credential


def secret_key(view: SecretView, name: str) -> ObjectKey:
    """Return the Secret that an SDS name stands for; a name without a namespace is one of the proxy's own namespace."""
    namespace, _, rest = name.removeprefix(SCHEME).rpartition("/")
    return ObjectKey(Kind.SECRET, namespace or view.namespace, rest)


def secret_problem(ctx: Context, view: SecretView, name: str) -> SecretProblem | None:
    """Return why the name cannot be served to the proxy, or None if it can (tracked)."""
    key = secret_key(view, name)
    if key.namespace != view.namespace:
        return SecretProblem(SecretFault.FOREIGN, f"{key.namespace}/{key.name} is not in the proxy's namespace {view.namespace}")
    found: tuple[ConfigObject[SecretSpec], ...] = ctx.fetch(object_cell(Kind.SECRET, key.namespace, key.name))
    if not found:
        return SecretProblem(SecretFault.MISSING, f"{key.namespace}/{key.name} does not exist")
    pair = _key_pair(found[0].spec)
    if pair is None:
        wanted = " or ".join(f"{certificate} and {private}" for certificate, private in reversed(_KEY_PAIRS))
        return SecretProblem(SecretFault.UNUSABLE, f"{key.namespace}/{key.name} has no {wanted}")
    problem = _pem_problem(*pair)
    return SecretProblem(SecretFault.UNUSABLE, f"{key.namespace}/{key.name} {problem}") if problem else None


def secret_exists(ctx: Context, view: SecretView, name: str) -> bool:
    """Tell whether the name can be served to the proxy."""
    return ctx.derive(secret_problem, view, name) is None


def plan_secret(ctx: Context, view: SecretView, name: str) -> Planned[SecretInput] | None:
    """Return what is served under the SDS name, or None where the Secret is missing, foreign or unusable (tracked)."""
    if not secret_exists(ctx, view, name):
        return None
    key = secret_key(view, name)
    for obj in ctx.fetch(object_cell(Kind.SECRET, key.namespace, key.name)):
        pair = _key_pair(obj.spec)
        if pair is not None:
            return planned(SecretInput(name, *pair), (key,))
    return None


def _key_pair(secret: SecretSpec) -> tuple[bytes, bytes] | None:
    """Return certificate chain and private key: ``cert`` and ``key`` first, else ``tls.crt`` and ``tls.key``; both must have content."""
    for certificate, private in _KEY_PAIRS:
        if secret.data.get(certificate) and secret.data.get(private):
            return secret.data[certificate].reveal(), secret.data[private].reveal()
    return None


def _pem_problem(certificate_chain: bytes, private_key: bytes) -> str | None:
    """Return what Envoy would refuse: something that is not PEM, or a key of another certificate. Dates are not judged, as with Istio."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        leaf = x509.load_pem_x509_certificates(certificate_chain)[0]
        certified = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "has a certificate that is not PEM"
    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "has a private key that is not PEM without a pass phrase"
    if not _same_key(certified, key.public_key()):
        return "has a private key that does not belong to its certificate"
    return (
        None
        if _is_accepted(certified)
        else "has a key that Envoy does not accept: RSA of 2048 bits or more, ECDSA P-256, P-384, P-521, Ed25519"
    )


def _same_key(one: CertificatePublicKeyTypes, other: PublicKeyTypes) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return one.public_bytes(*form) == other.public_bytes(*form)


def _is_accepted(key: CertificatePublicKeyTypes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    if isinstance(key, EllipticCurvePublicKey):
        return key.curve.name in _CURVES
    return isinstance(key, Ed25519PublicKey)
