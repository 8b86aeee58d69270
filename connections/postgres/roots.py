"""The system's root certificates, for libraries that bring their own OpenSSL.

psycopg's binary package and some builds of Python look for roots where their OpenSSL was built, a folder that no
machine has. docs/decisions/0011-identity.md says what was found.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

# Debian, Ubuntu and Alpine; Azure Linux, Fedora and RHEL; SUSE; macOS and the BSDs.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def root_certificates(
    configured: str | None, environ: Mapping[str, str] = os.environ, bundles: Iterable[str] = BUNDLES
) -> str:
    """The file of root certificates: the configured one, else SSL_CERT_FILE's, else the system's, else certifi's.

    "system" means the system's, as in libpq.

    >>> root_certificates("ca.pem"), root_certificates("system", {"SSL_CERT_FILE": __file__}) == __file__
    ('ca.pem', True)
    """
    if configured is not None and configured != "system":
        return configured
    named = environ.get("SSL_CERT_FILE")
    for path in (named, *bundles) if named else bundles:
        if Path(path).is_file():
            return path
    import certifi

    return certifi.where()
