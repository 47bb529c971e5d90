"""SDS secrets of clusters: client certificates, and the authorities of credentials (``<name>-cacert``).

A cluster is compiled for proxies of many namespaces alike, a Secret is looked for in that of the proxy; so a cluster asks for its secret
whether there is one or not. Without it the cluster exists and its connections fail, which is what a missing certificate means.
"""

from __future__ import annotations

from typing import Any, Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.authorities import AuthorityInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.plan.secrets import SCHEME, secret_key
from meshctl_operator.compiler.plan.upstream_tls import CA_SUFFIX, CONFIG_MAP
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.views import SecretView
from meshctl_operator.registry.cells import Cell, Table

_AUTHORITY_KEYS: Final = ("cacert", "ca.crt")
_REVOKED_KEYS: Final = ("crl", "ca.crl")


def is_authority(name: str) -> bool:
    """Tell whether an SDS name stands for authorities rather than for a certificate."""
    return name.startswith(CONFIG_MAP) or (name.startswith(SCHEME) and name.endswith(CA_SUFFIX))


def authority_keys(view: SecretView, name: str) -> tuple[ObjectKey, ...]:
    """Return where the authorities behind an SDS name may stand, the likelier place first: ``<name>-cacert``, then ``<name>`` itself."""
    if name.startswith(CONFIG_MAP):
        namespace, _, rest = name.removeprefix(CONFIG_MAP).removesuffix(CA_SUFFIX).rpartition("/")
        return (ObjectKey(Kind.CONFIG_MAP, namespace or view.namespace, rest),)
    key = secret_key(view, name)
    return (key, ObjectKey(Kind.SECRET, key.namespace, key.name.removesuffix(CA_SUFFIX)))


def plan_authority(ctx: Context, view: SecretView, name: str) -> Planned[AuthorityInput] | None:
    """Return the authorities that are served under the SDS name, or None where there are none in reach of the proxy (tracked)."""
    for key in authority_keys(view, name):
        if key.namespace != view.namespace:
            continue
        for obj in ctx.fetch(Cell(Table.OBJECT, key)):
            data = _data(obj.spec)
            certificates = next((data[entry] for entry in _AUTHORITY_KEYS if data.get(entry)), b"")
            if certificates and _is_pem(certificates):
                revoked = next((data[entry] for entry in _REVOKED_KEYS if data.get(entry)), b"")
                return planned(AuthorityInput(name, certificates, revoked), (key,))
    return None


def _data(spec: Any) -> dict[str, bytes]:  # noqa: ANN401  (the view of a Secret or of a ConfigMap)
    return {key: value.encode() if isinstance(value, str) else value.reveal() for key, value in spec.data.items()}


def _is_pem(certificates: bytes) -> bool:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return bool(x509.load_pem_x509_certificates(certificates))
    except (ValueError, UnsupportedAlgorithm):
        return False
