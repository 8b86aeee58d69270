"""Pure: texts of other libraries, without the secrets that they may quote."""

import re

_SECRET = re.compile(r"(?i)\b(sig|AccountKey|SharedAccessKey|password)=(?:'[^']*'|[^\s&;'\"]+)")


def without_secrets(text: str) -> str:
    """The text with each value that is a secret by its key left out.

    >>> without_secrets("GET /c/b?sv=2026&sig=c2Vj%3D failed; Endpoint=sb://x;SharedAccessKey=ab+/=;")
    'GET /c/b?sv=2026&sig=… failed; Endpoint=sb://x;SharedAccessKey=…;'
    """
    return _SECRET.sub(r"\1=…", text)
