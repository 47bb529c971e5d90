"""Texts of the messages that several kinds share."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "StringMatch": {
        "exact": "The whole text, case-sensitive.",
        "prefix": "How the text starts, case-sensitive.",
        "regex": "An RE2 expression that must match the whole text.",
    },
    "PortSelector": {
        "number": "Number of a service port.",
    },
    "Destination": {
        "host": "A service of the mesh: its full name, or a short name, which is looked up in the namespace of this object.",
        "subset": "A subset that a DestinationRule defines for the host.",
        "port": "Port of the service. It may be left out where the service has only one.",
    },
    "Percent": {
        "value": "From 0 to 100, with a fraction.",
    },
    "LabelSelector": {
        "labels": "Labels that a workload must all carry.",
    },
    "PolicySelector": {
        "matchLabels": "Labels that a workload must all carry.",
    },
    "TlsCertificate": {
        "serverCertificate": "File with the certificate chain, in PEM.",
        "privateKey": "File with the private key, in PEM.",
        "caCertificates": "File with certificates of authorities, in PEM.",
    },
    "ServerTls": {
        "httpsRedirect": "Answer every plain HTTP request of this server with a redirect to HTTPS.",
        "mode": "Whether TLS is terminated, and whether clients need a certificate. Unset means PASSTHROUGH: routed by SNI, not terminated.",
        "serverCertificate": "File with the certificate chain, on the proxy's disk.",
        "privateKey": "File with the private key, on the proxy's disk.",
        "caCertificates": "File with the authorities that clients' certificates are checked against.",
        "caCrl": "File with the revocation list that clients' certificates are checked against.",
        "subjectAltNames": "Names, one of which the client's certificate must carry.",
        "credentialName": "Secret with certificate and key, in the namespace of the gateway's workload.",
        "credentialNames": "Secrets with certificates of different types, such as RSA and ECDSA.",
        "caCertCredentialName": "Secret or ConfigMap with the authorities that clients' certificates are checked against.",
        "tlsCertificates": "Files with certificates of different types, such as RSA and ECDSA.",
        "verifyCertificateSpki": "Base64 SHA-256 hashes of public keys, one of which the client's certificate must have.",
        "verifyCertificateHash": "Hex SHA-256 hashes of certificates, one of which must be the client's.",
        "minProtocolVersion": "Oldest version of TLS that is spoken.",
        "maxProtocolVersion": "Newest version of TLS that is spoken.",
        "cipherSuites": "Cipher suites for TLS up to 1.2, in the order of preference.",
        "insecureSkipVerify": "Accept clients' certificates without checking who signed them.",
        "ecdhCurves": "Curves for the key exchange, in the order of preference.",
    },
}
