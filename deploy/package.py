"""Makes the zip that Azure runs: `python -m deploy.package app.zip [--with-dependencies]`.

Without dependencies it is for a remote build (Flex Consumption); with them it runs as it is (Premium). .funcignore
lists what is left out, also for `azd` and `func`.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from worker.native.build import BuildError, build
from worker.native.targets import AZURE

# Libraries compiled for this machine are left out.
COMPILED = Path("worker", "native", "lib")
# The folder in which the Python worker looks for dependencies.
DEPENDENCIES = Path(".python_packages", "lib", "site-packages")
# The platform of the wheels: Python 3.13 on the Linux of Azure Functions, whatever machine this is.
_TARGET = ("--python-version", "3.13", "--implementation", "cp", "--only-binary", ":all:")
_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")


def ignored(relative: Path, patterns: list[str]) -> bool:
    """Whether .funcignore names a file or a folder above it.

    >>> ignored(Path("worker", "__pycache__", "a.pyc"), ["__pycache__"]), ignored(Path("worker", "a.py"), ["*.pyc"])
    (True, False)
    """
    return any(fnmatch(part, pattern) for part in relative.parts for pattern in patterns)


def patterns_of(content: str) -> list[str]:
    r"""The patterns in the text of a .funcignore.

    >>> patterns_of("# why\n\ntests\n*.zip\n")
    ['tests', '*.zip']
    """
    return [line for line in content.splitlines() if line and not line.startswith("#")]


def app_files(root: Path) -> Iterator[Path]:
    """The files of the app, relative to `root`, in a stable order."""
    patterns = patterns_of((root / ".funcignore").read_text("utf-8"))
    for folder, folders, names in root.walk():
        relative = folder.relative_to(root)
        folders[:] = sorted(name for name in folders if not ignored(Path(name), patterns))
        yield from (relative / name for name in sorted(names) if not ignored(Path(name), patterns))


def make_package(root: Path, package: Path, *, with_dependencies: bool) -> None:
    """Writes the zip, with the library compiled for Azure Functions on any machine.

    Raises CalledProcessError if pip cannot install a dependency for Azure, BuildError if the library cannot be built.
    """
    with ZipFile(package, "w", ZIP_DEFLATED) as archive:
        for file in app_files(root):
            if not file.is_relative_to(COMPILED):
                archive.write(root / file, file)
        with tempfile.TemporaryDirectory() as folder:
            library = build(AZURE, Path(folder))
            archive.write(library, COMPILED / library.name)
        if with_dependencies:
            with tempfile.TemporaryDirectory() as folder:
                _install(root / "requirements.txt", Path(folder))
                for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                    archive.write(file, DEPENDENCIES / file.relative_to(folder))


def _install(requirements: Path, folder: Path) -> None:
    platforms = [option for platform in _PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--require-hashes", *_TARGET]
    subprocess.run([*command, *platforms, "--target", str(folder), "--requirement", str(requirements)], check=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 if the package was written."""
    parser = argparse.ArgumentParser(prog="python -m deploy.package", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("package", type=Path, help="the zip to write")
    parser.add_argument("--with-dependencies", action="store_true", help="for plans without a remote build")
    options = parser.parse_args(arguments)
    try:
        make_package(Path(__file__).parent.parent, options.package, with_dependencies=options.with_dependencies)
    except subprocess.CalledProcessError:
        sys.stderr.write(
            f"no package: pip could not install what requirements.txt names; {options.package} is incomplete\n"
        )
        return 1
    except (BuildError, OSError) as error:
        sys.stderr.write(f"no package: {error}\n")
        return 1
    sys.stdout.write(f"{options.package}: {options.package.stat().st_size / 2**20:.1f} MiB, compiled for {AZURE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
