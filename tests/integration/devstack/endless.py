"""A test that never ends, for test_leftovers.py; its name keeps it out of every other run."""

import sys
import time


def test_that_never_ends(environ):
    sys.stdout.write("running\n")
    time.sleep(600)
