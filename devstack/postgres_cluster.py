"""A fresh PostgreSQL data folder in a fraction of a second.

The first one is made by initdb and stays as a template under the clone's `.local/`; later ones are copies of it.
Everything else lives in one temporary folder, `home`, which only the server's account can enter.
"""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from devstack.postgres_address import ADMIN, DATABASE, EXPORTER
from devstack.postgres_programs import give, give_tree, locale, run, usable_by, version

CACHE = Path(__file__).parents[1] / ".local" / "cache"
INITDB = ("--no-sync", "--wal-segsize=1", "--encoding=UTF8", "--auth=scram-sha-256", f"--username={ADMIN}")
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
        give(home, account)
        programs = usable_by(account, home)
        template = _template_folder()
        if not template.is_dir():
            passwords = _initialise(Cluster(home, programs, account, {}))
            _keep(home, template, passwords)
            return Cluster(home, programs, account, passwords)
        shutil.copytree(template / "data", home / "data")
        give_tree(home / "data", account)
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
    return Cluster(home, usable_by(memo["account"], home), memo["account"], memo["passwords"], stays=True)


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


def _initialise(cluster: Cluster) -> dict[str, str]:
    passwords = {role: secrets.token_urlsafe(18) for role in (ADMIN, EXPORTER)}
    secret = cluster.home / "password"
    secret.touch(mode=0o600)
    secret.write_text(passwords[ADMIN])
    give(secret, cluster.account)
    where = ["-D", str(cluster.data)]
    initdb = [str(cluster.programs / "initdb"), *INITDB, *locale(), f"--pwfile={secret}", *where]
    run(initdb, cluster.home, cluster.account)
    secret.unlink()
    # Single-user mode needs no port, no password and no second start.
    single = [str(cluster.programs / "postgres"), "--single", *where, "-c", "fsync=off", "-c", "exit_on_error=on"]
    run([*single, "template1"], cluster.home, cluster.account, BOOTSTRAP % passwords[EXPORTER])
    return passwords


def _template_folder() -> Path:
    """Of this version, these options and this user: root and others may work in one clone in turn."""
    recipe = "\n".join([version(), *INITDB, *locale(), BOOTSTRAP])
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
