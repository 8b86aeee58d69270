"""Pure: removes secrets from the texts of other libraries."""

import re

# By its key, as connection strings, addresses and conninfo write it.
_BY_KEY = re.compile(r"(?i)\b(sig|AccountKey|SharedAccessKey|client_secret|password)=(?:'[^']*'|[^\s&;'\"]+)")
# user:password@ of an address.
_IN_ADDRESS = re.compile(r"(://[^\s/:@'\"]*):[^\s/@'\"]+@")
# A JSON Web Token, whatever stands before it.
_TOKEN = re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")


def without_secrets(text: str) -> str:
    """The text, with `…` for each value that is a secret by its key or its form.

    >>> without_secrets("GET /c/b?sv=2026&sig=c2Vj%3D failed; Endpoint=sb://x;SharedAccessKey=ab+/=;")
    'GET /c/b?sv=2026&sig=… failed; Endpoint=sb://x;SharedAccessKey=…;'
    >>> without_secrets("proxy http://ann:s3cret@10.0.0.1:3128 refused Bearer eyJhbGci.eyJhdWQi.c2ln")
    'proxy http://ann:…@10.0.0.1:3128 refused Bearer …'
    """
    return _TOKEN.sub("…", _IN_ADDRESS.sub(r"\1:…@", _BY_KEY.sub(r"\1=…", text)))
