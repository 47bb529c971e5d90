"""SDS secrets: which object a name stands for, whether it can be used, and what is served of it.

A name that cannot be served is never referenced, so nothing here is asked for in vain: listeners call ``secret_problem`` first, and the
read is tracked, so a Secret that appears heals what was left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from meshctl_operator.apis.core.secret import SecretSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.secrets import AuthorityInput, FileAuthorityInput, FilePairInput, KeyPairInput, SecretInput
from meshctl_operator.compiler.plan.certificates import authority_problem, pair_problem, revocation_problem, staple_problem
from meshctl_operator.compiler.plan.secret_names import (
    AUTHORITY_SUFFIX,
    SCHEME,
    SecretRole,
    file_paths,
    is_workload_identity,
    role_of,
    sds_name,
    secret_key,
)
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.views import SecretView
from meshctl_operator.registry.cells import object_cell

__all__ = ["SCHEME", "SecretFault", "SecretProblem", "plan_secret", "sds_name", "secret_exists", "secret_key", "secret_problem"]

_KEY_PAIRS: Final = (("cert", "key", ""), ("tls.crt", "tls.key", "tls.ocsp-staple"))
_AUTHORITIES: Final = (("cacert", "crl"), ("ca.crt", "ca.crl"))


class SecretFault(Enum):
    """Why a name cannot be served."""

    MISSING = auto()
    FOREIGN = auto()
    UNUSABLE = auto()
    NO_IDENTITY = auto()


@dataclass(frozen=True, slots=True)
class SecretProblem:
    """Why a name cannot be served, in words that start with the object; never quotes a value."""

    fault: SecretFault
    message: str


def secret_problem(ctx: Context, view: SecretView, name: str, role: SecretRole | None = None) -> SecretProblem | None:
    """Return why the name cannot be served to the proxy, or None if it can (tracked). ``role`` matters where the name does not tell it."""
    plan = ctx.derive(_plan, view, name, role or role_of(name))
    return plan if isinstance(plan, SecretProblem) else None


def secret_exists(ctx: Context, view: SecretView, name: str, role: SecretRole | None = None) -> bool:
    """Tell whether the name can be served to the proxy."""
    return secret_problem(ctx, view, name, role) is None


def plan_secret(ctx: Context, view: SecretView, name: str, role: SecretRole | None = None) -> Planned[SecretInput] | None:
    """Return what is served under the SDS name, or None where the object is missing, foreign or unusable (tracked)."""
    plan = ctx.derive(_plan, view, name, role or role_of(name))
    return None if isinstance(plan, SecretProblem) else plan


def _plan(ctx: Context, view: SecretView, name: str, role: SecretRole) -> Planned[SecretInput] | SecretProblem:
    if is_workload_identity(name):
        return SecretProblem(SecretFault.NO_IDENTITY, "the mesh has no authority that gives workloads certificates")
    if paths := file_paths(name):
        return planned(FilePairInput(name, *paths) if len(paths) > 1 else FileAuthorityInput(name, paths[0]), ())
    key = secret_key(view, name)
    if key.kind is Kind.SECRET and key.namespace != view.namespace:
        return SecretProblem(SecretFault.FOREIGN, f"Secret {_shown(key)} is not in the proxy's namespace {view.namespace}")
    if role is SecretRole.KEY_PAIR:
        return _key_pair(ctx, name, key)
    return _authority(ctx, name, key)


def _key_pair(ctx: Context, name: str, key: ObjectKey) -> Planned[SecretInput] | SecretProblem:
    data = _data(ctx, key)
    if data is None:
        return SecretProblem(SecretFault.MISSING, f"{_named(key)} does not exist")
    for certificate_key, private_key, staple_key in _KEY_PAIRS:
        certificate, private = data.get(certificate_key), data.get(private_key)
        if not certificate or not private or key.kind is not Kind.SECRET:
            continue
        if problem := pair_problem(certificate, private):
            return SecretProblem(SecretFault.UNUSABLE, f"{_named(key)} {problem}")
        staple = data.get(staple_key, b"")
        if staple and staple_problem(certificate, staple):
            staple = b""  # what cannot be stapled is asked for by clients themselves
        return planned(KeyPairInput(name, certificate, private, staple), (key,))
    wanted = " or ".join(f"{certificate} and {private}" for certificate, private, _ in reversed(_KEY_PAIRS))
    return SecretProblem(SecretFault.UNUSABLE, f"{_named(key)} has no {wanted}")


def _authority(ctx: Context, name: str, key: ObjectKey) -> Planned[SecretInput] | SecretProblem:
    """Return the authority: from the object of the name, else from the one that holds the key pair as well."""
    places = [key]
    if key.name.endswith(AUTHORITY_SUFFIX):
        places.append(ObjectKey(key.kind, key.namespace, key.name.removesuffix(AUTHORITY_SUFFIX)))
    for place in places:
        data = _data(ctx, place)
        if data is None:
            continue
        for certificates_key, revoked_key in _AUTHORITIES:
            certificates, revoked = data.get(certificates_key), data.get(revoked_key, b"")
            if not certificates:
                continue
            problem = authority_problem(certificates) or (revocation_problem(revoked) if revoked else None)
            if problem:
                return SecretProblem(SecretFault.UNUSABLE, f"{_named(place)} {problem}")
            return planned(AuthorityInput(name, certificates, revoked), (place,))
        wanted = " or ".join(certificates for certificates, _ in reversed(_AUTHORITIES))
        return SecretProblem(SecretFault.UNUSABLE, f"{_named(place)} has no {wanted}")
    missing = f"{_named(key)} does not exist"
    return SecretProblem(SecretFault.MISSING, f"{missing}, nor does {_named(places[1])}" if len(places) > 1 else missing)


def _data(ctx: Context, key: ObjectKey) -> Mapping[str, bytes] | None:
    """Return the content of a Secret or ConfigMap; None if there is none (tracked)."""
    for obj in ctx.fetch(object_cell(Kind(key.kind), key.namespace, key.name)):
        if isinstance(obj.spec, SecretSpec):
            return {name: value.reveal() for name, value in obj.spec.data.items()}
        return {name: value.encode() for name, value in obj.spec.data.items()}
    return None


def _named(key: ObjectKey) -> str:
    return f"{key.kind} {_shown(key)}"


def _shown(key: ObjectKey) -> str:
    return f"{key.namespace}/{key.name}"
