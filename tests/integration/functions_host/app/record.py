"""What the functions saw, one JSON object a line, in the file that the setting RECORD names."""

import json
import os


def record(**fields: object) -> None:
    with open(os.environ["RECORD"], "a") as lines:
        lines.write(json.dumps(fields, default=str) + "\n")
