"""What `make demo` runs: its environment, its ports, its folder, and the whole of it in a path with a blank."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import environ
import pytest

from demo import run
from demo.run import FOREIGN, ROOT, data_folder, environment, free_port, own_settings, write_manage
from demo.sheets import SheetsServer
from demo.upstream import Upstream

pytestmark = pytest.mark.once

NOT_COPIED = shutil.ignore_patterns(".venv", ".git", ".data", ".*_cache", "__pycache__", "*.sqlite3*", "media")


def test_the_database_url_survives_a_path_with_a_blank(upstream: Upstream, sheets: SheetsServer) -> None:
    folder = Path("/home/a b+c/100%/?/demo")

    url = own_settings(folder, upstream, sheets)["DATABASE_URL"]

    assert environ.Env.db_url_config(url)["NAME"] == f"{folder}/db.sqlite3"


def test_a_developers_own_settings_do_not_reach_the_demo(
    upstream: Upstream, sheets: SheetsServer, tmp_path: Path
) -> None:
    outer = {"PATH": "/bin", "TMDB_BEARER_TOKEN": "real", "TMDB_API_KEY": "real", "AWS_PROFILE": "real"}
    outer |= {"DATABASE_URL": "postgres://real", "REDIS_URL": "redis://real", "no_proxy": "intranet"}

    env = environment(outer, own_settings(tmp_path, upstream, sheets))

    assert env["PATH"] == "/bin"
    assert env["no_proxy"] == "intranet,127.0.0.1,localhost"
    assert "real" not in " ".join(env.values())


def test_no_setting_that_there_is_reaches_the_demo(
    upstream: Upstream, sheets: SheetsServer, tmp_path: Path, settings: Any
) -> None:
    own = own_settings(tmp_path, upstream, sheets)
    outer = dict.fromkeys(settings.ENVIRONMENT_NAMES - {"TRR_VERSION"}, "real")  # of what the code is, not what it does

    assert "real" not in environment(outer, own).values()
    assert set(outer) <= {*FOREIGN, *own}


def test_two_demos_never_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "DATA", tmp_path)

    with data_folder() as first, data_folder() as second:
        assert first != second
    with data_folder() as third:
        assert third == first


def test_a_fresh_demo_finds_no_old_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "DATA", tmp_path)
    with data_folder() as folder:
        (folder / "db.sqlite3").touch()
        (folder / "db.sqlite3-wal").touch()
        (folder / "media").mkdir()

    with data_folder() as folder:
        assert [found.name for found in folder.iterdir()] == ["lock"]


def test_a_port_that_is_listened_on_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert free_port(port) != port


def test_manage_runs_with_the_demos_settings_alone(
    upstream: Upstream, sheets: SheetsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "manage.py").write_text("import os, sys; print(os.environ['TMDB_API_URL'], *sys.argv[1:])\n")

    script = tmp_path / write_manage(tmp_path, own_settings(tmp_path, upstream, sheets))
    told = subprocess.run([script, "a b"], capture_output=True, text=True, check=True, env={"REDIS_URL": "real"})

    assert told.stdout == f"{upstream.api_url} a b\n"


def test_the_whole_demo_runs_once_in_a_path_with_a_blank_and_taken_ports(upstream: Upstream, tmp_path: Path) -> None:
    root = tmp_path / "a b"
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    port = str(upstream.port)  # taken
    command = [sys.executable, "-m", "demo.run", "--once", "--port", port, "--upstream-port", port]
    command += ["--sheets-port", port]

    ended = subprocess.run(command, cwd=root, env=clean_environment(), capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"because {port} is taken" in ended.stdout
    assert "editor    password " in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr


def clean_environment() -> dict[str, str]:
    """The test run's own environment without its Django settings and without its coverage or plugins."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "PYTEST_"))}
