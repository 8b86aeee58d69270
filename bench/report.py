"""`python -m bench.report` writes the figures of bench/results/ into docs/explanation/performance.md.

With --check it only says whether they are there already: exit status 1 if not.
"""

import re
import sys
from pathlib import Path
from typing import Any

from bench import results, tables
from bench.summary import Entry

DOCUMENT = Path(__file__).parents[1] / "docs" / "explanation" / "performance.md"
NAMES = ("latest", "growth")


def main(arguments: list[str]) -> int:
    text = DOCUMENT.read_text()
    new = text
    for name in NAMES:
        if (results.FOLDER / f"{name}.json").is_file():
            new = between_markers(new, name, section(name, *results.read(name)))
    if arguments == ["--check"]:
        return int(new != text)
    DOCUMENT.write_text(new)
    return 0


def between_markers(text: str, name: str, content: str) -> str:
    """
    >>> print(between_markers("a\\n<!-- x -->\\nold\\n<!-- end of x -->\\nb", "x", "new"))
    a
    <!-- x -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end of x -->
    b
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not found.search(text):
        raise SystemExit(f"bench.report: {DOCUMENT.name} has no {begin} … {end}")
    return found.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", text)


def section(name: str, entries: list[Entry], about: dict[str, Any]) -> str:
    """What was measured on what, the tables, the imports of the app, the plot, what was left out."""
    parts = [_machine(about), tables.page(entries, tables.as_markdown)]
    parts += [
        f"Imported by `function_app` on top of Azure's worker library: {', '.join(found['sdks'])}."
        for found in entries
        if found.get("sdks")
    ]
    if (results.FOLDER / f"{name}.png").is_file():
        parts.append(f"![{name}](../../bench/results/{name}.png)")
    if about["skipped"]:
        parts.append("Not run:\n" + "\n".join(f"- {one}: {reason}" for one, reason in about["skipped"].items()))
    return "\n\n".join(parts)


def _machine(about: dict[str, Any]) -> str:
    what = f"{about['mode']} run, {about['rows']:,} rows, {about['rounds']} rounds at most, {about['connection']}"
    machine = f"{about['cores']} cores of {about['cpu']}, {about['memory_mb'] // 1024} GB, {about['system']}"
    versions = f"Python {about['python']}, PostgreSQL {about['postgres']}, commit {about['commit']}"
    return f"{about['at'][:10]}: {what}.\n{machine}; load {about['load_at_start']} before; {versions}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
