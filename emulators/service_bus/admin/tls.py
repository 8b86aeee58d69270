"""The certificate of the admin port."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Tls:
    """Paths of PEM files: a certificate, with its chain if it has one, and the key."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Load the files for a server. Raises OSError (ssl.SSLError is one) if that fails."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context
