"""psql piped into a compressor and a temporary file, which is then uploaded; with pipefail, unlike most of them."""

from collections.abc import Iterator

from bench.contender import Contender, Steps, needs
from bench.job import Job
from bench.programs import psql


def pipeline(*compressor: str) -> Steps:
    def steps(job: Job) -> Iterator[None]:
        import shlex
        import subprocess
        import sys
        import tempfile

        blob = job.blob_client()
        export = [psql(), "--no-psqlrc", "--quiet", "--command", job.copy]
        pack = [sys.executable if part == "python" else part for part in compressor]
        yield
        with tempfile.NamedTemporaryFile(suffix=".csv.gz") as file:
            line = f"set -o pipefail; {shlex.join(export)} | {shlex.join(pack)}"
            subprocess.run(["bash", "-c", line], check=True, stdout=file)
            file.seek(0)
            blob.upload_blob(file)

    return steps


def _missing_gzip() -> str | None:
    import shutil

    absent = [program for program in ("bash", "gzip") if shutil.which(program) is None]
    return f"there is no {absent[0]} on PATH" if absent else needs("azure.storage.blob")()


CONTENDERS = (
    Contender("psql | gzip -6, then upload", pipeline("gzip", "-6"), missing=_missing_gzip),
    Contender(
        "psql | igzip -2 (python -m isal.igzip), then upload",
        pipeline("python", "-m", "isal.igzip", "-2", "--stdout"),
        missing=needs("isal", "azure.storage.blob"),
    ),
)
