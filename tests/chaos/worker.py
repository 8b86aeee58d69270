"""`tailrace work` with one fault built in: the test build whose faults the checker must find."""

import os
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from chaos.plants import PLANTS

from cli.start import main

if __name__ == "__main__":
    PLANTS[os.environ["TAILRACE_CHAOS_PLANT"]].build_in()
    main()
