"""What the functions saw, one JSON object a line, in the file that the setting RECORD names."""

import json
import os
from pathlib import Path


def record(**fields: object) -> None:
    with Path(os.environ["RECORD"]).open("a") as lines:
        lines.write(json.dumps(fields, default=str) + "\n")
