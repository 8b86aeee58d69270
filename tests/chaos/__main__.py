"""`python tests/chaos`: break everything around real workers, and prove that nothing is lost or wrong."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from chaos import each, planted
from chaos.faults import KINDS
from chaos.history import History
from chaos.plants import PLANTS
from chaos.report import lines_of
from chaos.run import Options, run
from chaos.servers import Servers, open_servers


def main() -> int:
    """The exit status: 1 if something was found."""
    given = _arguments()
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    with open_servers(directory) as servers:
        if given.planted is not None:
            status = _planted(servers, directory, given)
        elif given.each is not None:
            status = _each(servers, directory, given)
        else:
            status = _mixed(servers, directory, given)
    if status == 0:
        shutil.rmtree(directory, ignore_errors=True)
    return status


def _mixed(servers: Servers, directory: Path, given: argparse.Namespace) -> int:
    """Status 1 if something was found."""
    options = Options(
        seed=given.seed,
        requests=given.requests,
        faults=given.requests // 2 if given.faults is None else given.faults,
        over_s=given.over or max(20.0, given.requests * 0.4),
        mode=given.mode,
        workers=given.workers,
        host=given.host,
    )
    result = run(servers, directory, options, History(given.out))
    print("\n".join(lines_of(result)), flush=True)
    if result.findings:
        print(f"logs: {directory}")
    return 1 if result.findings else 0


def _planted(servers: Servers, directory: Path, given: argparse.Namespace) -> int:
    """Status 1 if a planted fault is not found."""
    names = [name for name in PLANTS if any(part in name for part in given.planted.split(","))]
    print(f"{'planted fault':<48}{'found as':<20}{'time':>7}")
    missed = 0
    for verdict in planted.verdicts(servers, directory, names, given.seed):
        print(planted.line_of(verdict), flush=True)
        missed += verdict.found is None
    print(f"\n{len(names) - missed} of {len(names)} found")
    return 1 if missed else 0


def _each(servers: Servers, directory: Path, given: argparse.Namespace) -> int:
    kinds = [kind for kind in KINDS if any(part in kind for part in given.each.split(";"))]
    print(f"{'fault, while an export runs':<40}{'lasted, s':>10}{'all there, s':>14}{'findings':>10}")
    failed = 0
    for one in each.alone(servers, directory, History(given.out), kinds, given.seed):
        print(each.line_of(one), flush=True)
        for finding in one.findings:
            print(f"  {finding.kind}: {finding.subject}: {finding.says}")
        failed += bool(one.findings)
    print(f"\nlogs: {directory}" if failed else f"\n{len(kinds)} faults, nothing found")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--faults", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--mode", choices=["liveness", "safety"], default="liveness")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--host", action="store_true", help="a Functions host, too")
    parser.add_argument("--over", type=float, help="seconds over which requests and faults are spread")
    parser.add_argument("--planted", nargs="?", const="", help="faults of the product, those whose name has this")
    parser.add_argument("--each", nargs="?", const="", help="each fault alone, those whose name has this")
    parser.add_argument("--out", type=Path, help="the history, as JSON lines")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
