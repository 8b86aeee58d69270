"""Finds secrets in whatever the tests' processes wrote."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

# Values that must not be written anywhere, each with its name. Fixtures add those of their servers.
SECRETS: dict[str, str] = {}
_BY_KEY = re.compile(r"(?:AccountKey|SharedAccessKey|sig)=([^;&]+)")
# A signature or a token of any test.
_FORMS = {
    "a shared access signature": re.compile(r"\bsig=[\w%+/-]{16,}"),
    "a token": re.compile(r"\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]{8,}"),
}
_FEWEST = 8  # characters; the embedded broker's key is a word


def add_secrets(environ: Mapping[str, str]) -> None:
    """The secrets of these settings must not be written from now on."""
    for name, value in environ.items():
        found = [value] if name.endswith("PASSWORD") else _BY_KEY.findall(value)
        SECRETS.update({secret: name for secret in found if len(secret) >= _FEWEST})


def leaks_in(text: str) -> set[str]:
    """What kinds of secrets a text holds; never the secrets themselves."""
    return {name for secret, name in SECRETS.items() if secret in text} | {
        name for name, form in _FORMS.items() if form.search(text)
    }


def leaks_of_files(folder: Path) -> dict[str, set[str]]:
    """The log files under a folder in which there are secrets."""
    found = {}
    for file in sorted(folder.rglob("*.log")):
        if file.is_file() and (leaks := leaks_in(file.read_text("utf-8", "replace"))):
            found[str(file)] = leaks
    return found


def text_of(done: subprocess.CompletedProcess[Any]) -> str:
    """What a process wrote to its pipes."""
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in (done.stdout, done.stderr)]
    return "".join(filter(None, texts))


class Written:
    """A pytest plugin: a test fails if anything that it captured, or that its commands wrote, holds a secret."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def look(self, text: str) -> None:
        """Remembers the leaks of a text until the test's report."""
        self.found |= leaks_in(text)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()
        for _, text in report.sections:
            self.look(text)
        if self.found and report.when == "teardown":
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} wrote a secret: {', '.join(sorted(self.found))}"
            self.found = set()
