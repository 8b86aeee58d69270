"""The page: its parts are put together into one document that loads nothing else."""

import gzip
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent
_SCRIPTS = (
    "text.js", "net.js", "model.js", "layout.js", "heat.js", "pointer.js", "jobs.js", "shown.js", "actions.js",
    "steer.js", "side.js", "main.js",
)  # fmt: skip


class Page(NamedTuple):
    """The document, the same as gzip, and the policy by which a browser runs nothing but it."""

    html: str
    packed: bytes
    policy: str


@cache
def page() -> Page:
    """The whole page."""
    style = (_HERE / "page.css").read_text("utf-8")
    parts = "\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{parts}\n}})();\n'
    html = (_HERE / "page.html").read_text("utf-8")
    html = html.replace("<!-- style -->", f"<style>{style}</style>").replace(
        "<!-- script -->", f"<script>{script}</script>"
    )
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, gzip.compress(html.encode()), policy)


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
