"""The search for secrets in what the tests write finds them."""

import subprocess
import sys
from pathlib import Path

import pytest
from support import leaks

ROOT = Path(__file__).parents[2]


def test_secrets_of_settings_are_found_in_texts_and_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "SECRETS", {})
    leaks.add_secrets({"PGPASSWORD": "hunter2hunter2", "ExportStorage": "AccountKey=a2V5a2V5a2V5;", "PGHOST": "host"})
    assert leaks.leaks_in("PASSWORD hunter2hunter2 a2V5a2V5a2V5") == {"PGPASSWORD", "ExportStorage"}
    assert leaks.leaks_in("on the host a") == set()
    assert leaks.leaks_in("?sv=1&" + "sig=" + "c2VjcmV0c2VjcmV0c2VjcmV0") == {"a shared access signature"}
    file = tmp_path / "server.log"
    file.write_text("password=hunter2hunter2")
    assert list(leaks.leaks_of_files(tmp_path)) == [str(file)]
    file.unlink()


def test_a_test_that_prints_a_secret_fails(tmp_path: Path) -> None:
    test, said = tmp_path / "test_leak.py", tmp_path / "said"
    test.write_text('def test_leak():\n    print("?" + "sig=" + "c2VjcmV0" * 4)\n')
    argv = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "-p", "tests.conftest", str(test)]
    with said.open("w") as output:
        done = subprocess.run(argv, cwd=ROOT, stdout=output, stderr=output, check=False)
    assert done.returncode == 1
    assert "test_leak wrote a secret: a shared access signature" in said.read_text()
