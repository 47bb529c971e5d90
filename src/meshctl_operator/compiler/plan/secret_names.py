"""SDS names: which of them stands for what. The names are Istio's, so that dashboards and other tools know them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.views import SecretView

SCHEME: Final = "kubernetes://"
GATEWAY_API_SCHEME: Final = "kubernetes-gateway://"
CONFIG_MAP_SCHEME: Final = "configmap://"
BUILT_IN_SCHEME: Final = "builtin://"
EXTERNAL_SCHEME: Final = "sds://"
FILE_PAIR: Final = "file-cert:"
FILE_AUTHORITY: Final = "file-root:"
AUTHORITY_SUFFIX: Final = "-cacert"
WORKLOAD_PAIR: Final = "default"
"""The certificate of the workload itself, which the authority of the mesh issues."""
WORKLOAD_AUTHORITY: Final = "ROOTCA"
"""The authority of the mesh."""
_PATHS: Final = "~"


class SecretRole(StrEnum):
    """What a secret is used for. One SDS name has one role."""

    KEY_PAIR = "key pair"
    AUTHORITY = "authority"


def sds_name(credential: str) -> str:
    """Return the SDS name of a ``credentialName``: ``kubernetes://<name>`` unless it says where it comes from.

    ``builtin://`` is the certificate of the workload. There is no other SDS server, so ``sds://<name>`` is looked up as a Secret, as istiod
    does where it has none.
    """
    if credential.startswith(BUILT_IN_SCHEME):
        return WORKLOAD_PAIR
    if credential.startswith((SCHEME, GATEWAY_API_SCHEME, CONFIG_MAP_SCHEME)):
        return credential
    return SCHEME + credential.removeprefix(EXTERNAL_SCHEME)


def authority_name(credential: str) -> str:
    """Return the SDS name of the authority that goes with a ``credentialName``."""
    name = sds_name(credential)
    return WORKLOAD_AUTHORITY if name == WORKLOAD_PAIR else name + AUTHORITY_SUFFIX


def file_pair_name(certificate: str, key: str) -> str:
    """Return the SDS name of a certificate and key in files of the proxy."""
    return f"{FILE_PAIR}{certificate}{_PATHS}{key}"


def file_authority_name(path: str) -> str:
    """Return the SDS name of an authority in a file of the proxy."""
    return FILE_AUTHORITY + path


def file_paths(name: str) -> tuple[str, ...]:
    """Return the paths in the SDS name of files: certificate and key, or the authority; none for any other name."""
    if name.startswith(FILE_AUTHORITY):
        return (name.removeprefix(FILE_AUTHORITY),)
    if name.startswith(FILE_PAIR):
        certificate, _, key = name.removeprefix(FILE_PAIR).partition(_PATHS)
        return certificate, key
    return ()


def role_of(name: str) -> SecretRole:
    """Return what an SDS name is used for, as far as the name tells."""
    is_authority = name == WORKLOAD_AUTHORITY or name.endswith(AUTHORITY_SUFFIX) or name.startswith((FILE_AUTHORITY, CONFIG_MAP_SCHEME))
    return SecretRole.AUTHORITY if is_authority else SecretRole.KEY_PAIR


def is_workload_identity(name: str) -> bool:
    """Tell whether the name stands for what the authority of the mesh issues."""
    return name in {WORKLOAD_PAIR, WORKLOAD_AUTHORITY}


def secret_key(view: SecretView, name: str) -> ObjectKey:
    """Return the object that an SDS name stands for; a name without a namespace is one of the proxy's own namespace."""
    scheme, separator, place = name.partition("://")
    namespace, _, rest = (place if separator else name).rpartition("/")
    kind = Kind.CONFIG_MAP if f"{scheme}{separator}" == CONFIG_MAP_SCHEME else Kind.SECRET
    return ObjectKey(kind, namespace or view.namespace, rest)
