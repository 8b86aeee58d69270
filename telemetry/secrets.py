"""Pure: removes secrets from the texts of other libraries."""

import re

_SECRET = re.compile(r"(?i)\b(sig|AccountKey|SharedAccessKey|password)=(?:'[^']*'|[^\s&;'\"]+)")


def without_secrets(text: str) -> str:
    """The text, with `…` for the value of each key that names a secret.

    >>> without_secrets("GET /c/b?sv=2026&sig=c2Vj%3D failed; Endpoint=sb://x;SharedAccessKey=ab+/=;")
    'GET /c/b?sv=2026&sig=… failed; Endpoint=sb://x;SharedAccessKey=…;'
    """
    return _SECRET.sub(r"\1=…", text)
