"""`python -m bench.child NAME` runs one contender and prints its own measurements as a JSON line.

`python -m bench.child --missing PYTHON` prints which of the contenders of an interpreter it cannot run, and why.
"""

import json
import resource
import sys
import time
from itertools import chain

from bench.contender import Contender
from bench.job import Job
from bench.registry import load_contenders


def main(arguments: list[str]) -> None:
    contenders = load_contenders()
    match arguments:
        case ["--missing", python]:
            asked = {name: one.missing() for name, one in contenders.items() if one.python == python}
            print(json.dumps({name: reason for name, reason in asked.items() if reason}))
        case [name]:
            print(json.dumps(_timed(contenders[name], Job.from_env())))


def _timed(contender: Contender, job: Job) -> dict[str, float]:
    assert contender.steps is not None
    steps = contender.steps(job)
    next(steps)
    cpu, began = _cpu_s(), time.perf_counter()
    next(steps, None)
    wall = time.perf_counter() - began
    for _ in steps:
        raise AssertionError("a contender yields twice at most")
    return {"wall_s": wall, "cpu_before_s": cpu}


def _cpu_s() -> float:
    """CPU seconds so far of this process and the children that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(chain.from_iterable((usage.ru_utime, usage.ru_stime) for usage in usages))


if __name__ == "__main__":
    main(sys.argv[1:])
