"""Writes the JSON Schemas of the contracts beside this file, for producers in other languages.

python -m contracts.generate            writes them
python -m contracts.generate --check    exits 1 and names each one that is stale
"""

import json
import sys
from pathlib import Path

from contracts.job import ExportJob
from contracts.manifest import Manifest
from contracts.model import Model
from contracts.receipt import Receipt
from contracts.request import ExportRequest

_MODELS: dict[str, type[Model]] = {
    "export_request": ExportRequest,
    "export_job": ExportJob,
    "receipt": Receipt,
    "manifest": Manifest,
}


def schemas() -> dict[Path, str]:
    """Path and text of each schema as it should be."""
    folder = Path(__file__).parent
    return {
        folder / f"{name}.schema.json": json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"
        for name, model in _MODELS.items()
    }


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit code."""
    stale = [path for path, text in schemas().items() if not path.exists() or path.read_text() != text]
    if arguments == ["--check"]:
        for path in stale:
            sys.stderr.write(f"{path.name} is stale: run `python -m contracts.generate` and commit it\n")
        return 1 if stale else 0
    for path in stale:
        path.write_text(schemas()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
