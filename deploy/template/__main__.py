"""The command line: `python -m deploy.template`."""

import json
import sys
from pathlib import Path

from deploy.template.rules import breaches, read_templates, wrong_parameters_file
from deploy.template.safety import dangers


def main() -> int:
    """0 if the templates in deploy/ follow every rule; else 1, with a line on stderr for each breach."""
    folder = Path(__file__).resolve().parent.parent
    templates = read_templates(folder)
    parameters = json.loads((folder / "main.parameters.json").read_text("utf-8"))
    found = [*breaches(templates), *dangers(templates)]
    found += wrong_parameters_file(templates[folder / "main.bicep"], parameters)
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
