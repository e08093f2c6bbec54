"""What the environment gets wrong is named in one line each, without its value, and ends with exit code 2."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.checks import run_checks

from ingestion.checks import OTHERS, tmdb_problems

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-value"
COMPLETE = {"SECRET_KEY": f"{SECRET}-key", "TMDB_API_KEY": f"{SECRET}-tmdb"}


def manage(*arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Exit code and lines of a manage.py that is given this environment and nothing else."""
    minimal = {"PATH": os.environ["PATH"], "ENV_FILE": "", "PYTHONWARNINGS": "error::ResourceWarning"}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=minimal | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed
    assert SECRET not in printed
    return done.returncode, printed.splitlines()


def errors_of(**environment: str) -> list[str]:
    """What the settings say of an environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name not in {"PATH", "HOME"}:
                patch.delenv(name)
        for name, value in ({"ENV_FILE": ""} | environment).items():
            patch.setenv(name, value)
        return runpy.run_path(str(ROOT / "trr_site" / "settings.py"))["ENVIRONMENT_ERRORS"]


DATABASE = "DATABASE_URL is malformed: expected sqlite:////absolute/path or postgres://user:password@host:port/name"
URL = "{} is malformed: expected an http(s) URL"
RATE = "TMDB_REQUESTS_PER_SECOND is malformed: expected a number above 0"
CONNECTIONS = "TMDB_CONNECTIONS is malformed: expected a whole number above 0"
REDIS = "REDIS_URL is malformed: expected redis://host:port/number"
MALFORMED = [
    *[
        ("DATABASE_URL", value, DATABASE)
        for value in (
            "not a url",
            "postgres://",
            f"postgres://user:{SECRET}@127.0.0.1",
            f"postgres://user:{SECRET}@127.0.0.1:port/name",
            f"postgres://user:{SECRET}#@127.0.0.1/name",
            f"postgres://user:{SECRET}@[::1/name",
            f"oracle://user:{SECRET}@127.0.0.1/name",
            "sqlite://",
            "/var/lib/db.sqlite3",
        )
    ],
    *[
        (name, value, URL.format(name))
        for name in ("TMDB_API_URL", "TMDB_IMAGE_URL", "AWS_S3_ENDPOINT_URL", "AWS_CDN_BASE_URL")
        for value in (
            "not a url",
            "api.themoviedb.org/3",
            "ftp://x",
            "http://",
            "https:///3",
            "http://x:port/3",
            "http://[::1/3",
            f"http://x/3?api_key={SECRET}",
            f"http://x/#{SECRET}",
        )
    ],
    *[("TMDB_REQUESTS_PER_SECOND", value, RATE) for value in ("abc", "0", "-1", "inf", "nan", "4,5", "1e999")],
    *[("TMDB_CONNECTIONS", value, CONNECTIONS) for value in ("0", "-1", "1.5", "abc", "inf")],
    *[
        ("REDIS_URL", value, REDIS)
        for value in (
            "not a url",
            "redis://",
            "http://127.0.0.1",
            f"redis://:{SECRET}@127.0.0.1:port",
            "127.0.0.1:6379",
        )
    ],
    ("DEBUG", "maybe", "DEBUG is malformed: expected true or false"),
    ("SECURE_SSL_REDIRECT", "2", "SECURE_SSL_REDIRECT is malformed: expected true or false"),
]


@pytest.mark.parametrize(("name", "value", "error"), MALFORMED)
def test_malformed_value_is_named_without_being_told(name, value, error):
    assert errors_of(**{name: value}) == [error]


GOOD = [
    ("DATABASE_URL", "sqlite:////tmp/db.sqlite3"),
    ("DATABASE_URL", "postgres://user:pa%23ss@127.0.0.1:5432/name"),
    ("DATABASE_URL", "postgresql://user@db/name?sslmode=require"),
    ("TMDB_API_URL", "http://127.0.0.1:8089/3/"),
    ("TMDB_REQUESTS_PER_SECOND", "0.5"),
    ("TMDB_REQUESTS_PER_SECOND", " 40 "),
    ("TMDB_CONNECTIONS", "1"),
    ("REDIS_URL", "redis://:password@127.0.0.1:6379/0"),
    ("REDIS_URL", "unix:///run/redis.sock"),
    ("DEBUG", "True"),
    ("DEBUG", ""),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_good_value_is_not_complained_about(name, value):
    assert errors_of(**{name: value}) == []


BAD_VALUES = {
    "DATABASE_URL": f"postgres://user:{SECRET}@127.0.0.1:port/name",
    "TMDB_API_URL": "ftp://x",
    "TMDB_IMAGE_URL": "http://",
    "TMDB_REQUESTS_PER_SECOND": "abc",
    "TMDB_CONNECTIONS": "0",
    "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:port",
}
BAD_LINES = {DATABASE, URL.format("TMDB_API_URL"), URL.format("TMDB_IMAGE_URL"), RATE, CONNECTIONS, REDIS}


def test_check_names_every_malformed_value_in_one_line_each_and_exits_2():
    code, lines = manage("check", **COMPLETE | BAD_VALUES)

    assert code == 2
    assert {line.removeprefix("?: (trr.E001) ") for line in lines if "malformed" in line} == BAD_LINES
    assert sum("malformed" in line for line in lines) == len(BAD_LINES)


def test_sync_names_every_malformed_value_in_one_line_each_and_exits_2():
    code, lines = manage("sync_shows", **COMPLETE | BAD_VALUES)

    assert code == 2
    assert sorted(line.removeprefix("CommandError: ") for line in lines) == sorted(BAD_LINES)


NEITHER = "TMDB_API_KEY is not set, nor is TMDB_BEARER_TOKEN: one of them is needed to ask TMDb"
BOTH = "TMDB_API_KEY and TMDB_BEARER_TOKEN are both set: keep one of them"


def test_sync_without_a_key_exits_2():
    assert manage("sync_shows", SECRET_KEY="x") == (2, [f"CommandError: {NEITHER}"])


def test_sync_with_both_keys_exits_2():
    assert manage("sync_shows", **COMPLETE, TMDB_BEARER_TOKEN=SECRET) == (2, [f"CommandError: {BOTH}"])


def test_check_of_a_complete_environment_has_nothing_to_say():
    assert manage("check", **COMPLETE) == (0, ["System check identified no issues (0 silenced)."])


def test_check_names_a_missing_secret_key_both_keys_and_what_the_env_file_has_for_nothing(tmp_path):
    env_file = tmp_path / "dot env"
    env_file.write_text(
        f"TMDB_API_KEY={SECRET}\nexport TMDB_BEARER_TOKEN={SECRET}\n# TMDB_OLD=1\nTMDB_APIKEY={SECRET}\n"
    )

    code, lines = manage("check", ENV_FILE=str(env_file))

    assert code == 2
    assert [line for line in lines if line.startswith("?: ")] == [
        "?: (trr.E002) SECRET_KEY is not set",
        f"?: (trr.E003) {BOTH}",
        f"?: (trr.W002) TMDB_APIKEY in {env_file} is used by nothing",
    ]


def test_sync_without_its_postgresql_exits_2_and_tells_no_password():
    with socket.socket() as taken:  # nobody listens on it
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        code, lines = manage(
            "sync_shows", **COMPLETE, DATABASE_URL=f"postgres://trr:{SECRET}@127.0.0.1:{port}/catalogue"
        )

    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(f"CommandError: no connection to the database catalogue on 127.0.0.1:{port} (")
    assert "Connection refused" in lines[0]


def test_sync_of_an_unmigrated_database_exits_2(tmp_path):
    code, lines = manage("sync_shows", **COMPLETE, DATABASE_URL=f"sqlite:///{tmp_path}/empty.sqlite3")

    assert (code, lines) == (2, ["CommandError: the database is not up to date: run `manage.py migrate`"])


@pytest.mark.parametrize("command", ["check", "sync_shows", "import_shows"])
def test_malformed_lines_of_the_env_file_are_named_by_number_alone_and_exit_2(tmp_path, command):
    env_file = tmp_path / ".env"
    env_file.write_text(
        f"SECRET_KEY={SECRET}\nTMDB_API_KEY {SECRET}\n\n  # {SECRET}\n{SECRET}\nTMDB_API_KEY: {SECRET}\n"
        f"=  {SECRET}\n1TMDB={SECRET}\n TMDB_BEARER_TOKEN = {SECRET}\nexport\tDEBUG=1\n"
    )

    code, lines = manage(command, *(["-"] if command == "import_shows" else []), ENV_FILE=str(env_file))

    named = [f"ENV_FILE {env_file} is malformed in line {number}: expected NAME=value" for number in (2, 5, 6, 7, 8)]
    told = [line.removeprefix("CommandError: ").removeprefix("?: (trr.E001) ") for line in lines]
    assert code == 2
    assert [line for line in told if "malformed" in line] == named
    assert command == "check" or told == named


@pytest.mark.parametrize("command", ["check", "sync_shows"])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_env_file_that_is_not_utf_8_exits_2(tmp_path, command, encoding):
    env_file = tmp_path / ".env"
    env_file.write_text(f"SECRET_KEY={SECRET}\nTMDB_API_KEY={SECRET}é\n", encoding=encoding)

    code, lines = manage(command, **COMPLETE, ENV_FILE=str(env_file))

    told = [line.removeprefix("CommandError: ").removeprefix("?: (trr.E001) ") for line in lines]
    assert code == 2
    assert told.count(f"ENV_FILE {env_file} is not UTF-8 text: nothing of it was read") == 1


def test_env_file_with_blanks_around_its_names_is_read(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text(f"  # {SECRET}\n  SECRET_KEY = '{SECRET} x' \nexport  TMDB_API_KEY= {SECRET}\n\n")

    assert manage("check", ENV_FILE=str(env_file)) == (0, ["System check identified no issues (0 silenced)."])


# The same, where no process is needed


def messages() -> list[tuple[str, str]]:
    return [(message.id, message.msg) for message in run_checks() if message.id.startswith("trr.")]


def test_complete_settings_have_no_problem():
    assert tmdb_problems() == []
    assert messages() == []


def test_site_works_without_a_key_so_that_check_only_warns(settings):
    settings.TMDB_API_KEY = ""

    assert tmdb_problems() == [NEITHER]
    assert messages() == [("trr.W001", NEITHER)]


@pytest.mark.parametrize("name", ["TMDB_API_KEY", "TMDB_BEARER_TOKEN"])
@pytest.mark.parametrize("value", ["a b", "a\nb", "a\x7f", "kéy", "“key”"])
def test_key_that_can_be_none_is_named(settings, name, value):
    settings.TMDB_API_KEY = settings.TMDB_BEARER_TOKEN = ""
    setattr(settings, name, value)

    problem = f"{name} is malformed: expected printable ASCII without blanks"
    assert tmdb_problems() == [problem]
    assert messages() == [("trr.E003", problem)]


@pytest.mark.parametrize("option", ["socket_timeout=soon", "no_such_option=1"])
def test_redis_url_with_a_wrong_option_is_named(settings, option):
    settings.REDIS_URL = f"redis://127.0.0.1:6379/0?{option}"

    assert tmdb_problems() == ["REDIS_URL is malformed: an option after its `?` is unknown or has a wrong value"]


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:9/0?socket_timeout=5", "rediss://127.0.0.1:9/0", "unix:///run/x.sock"]
)
def test_redis_url_is_checked_without_asking_redis(settings, url):
    settings.REDIS_URL = url

    assert tmdb_problems() == []


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_half_of_the_s3_credentials_is_named(settings, missing):
    settings.AWS_S3_BUCKET, settings.AWS_ACCESS_KEY_ID, settings.AWS_SECRET_ACCESS_KEY = "bucket", "id", "secret"
    setattr(settings, missing, "")

    assert [id for id, _ in messages()] == ["trr.E004"]


def test_every_name_in_the_example_file_is_used(settings):
    settings.ENV_FILE = str(ROOT / ".env.example")

    assert messages() == []


def test_env_file_of_odd_lines_is_read(settings, tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_bytes(b"\xff\xfe\n  OLD_NAME = 1\n#NO=1\nnot a line\nexport\tOTHER=2\n=3\nSECRET_KEY=x\n")
    settings.ENV_FILE = str(env_file)

    assert [message for _, message in messages()] == [
        f"{name} in {env_file} is used by nothing" for name in ("OLD_NAME", "OTHER")
    ]


def test_alerts_by_mail_without_a_server_are_warned_of(settings):
    settings.ALERT_EMAILS, settings.EMAIL = ["ops@example.org"], {}

    assert messages() == [
        ("trr.W003", "ALERT_EMAILS is set and EMAIL_URL is not: mail goes to port 25 of this machine")
    ]

    settings.EMAIL = {"EMAIL_HOST": "mail.example.org"}
    assert messages() == []


# --- check_config


def config(**environment: str) -> tuple[int, dict[str, str], list[str]]:
    """Exit code, the state of each variable, and what else is said."""
    code, lines = manage("check_config", **environment)
    rows = [line.split() for line in lines if len(line.split()) == 2]
    return code, dict(rows), [line for line in lines if len(line.split()) != 2]


def test_check_config_of_a_complete_environment_exits_0():
    code, states, said = config(**COMPLETE, METRICS_TOKEN=f"{SECRET}-metrics", DATABASE_URL="sqlite:////tmp/x.sqlite3")

    assert (code, said) == (0, [])
    assert {name for name, state in states.items() if state == "set"} == {
        *("SECRET_KEY", "TMDB_API_KEY", "METRICS_TOKEN", "DATABASE_URL")
    }
    assert set(states.values()) == {"set", "default"}


def test_check_config_lists_every_variable_of_the_example_file():
    _, states, _ = config(**COMPLETE)

    example = (ROOT / ".env.example").read_text()
    ours = {line.split("=")[0] for line in example.splitlines() if "=" in line and not line.startswith("#")} - OTHERS
    assert set(states) == ours | {"ENV_FILE", "TRR_VERSION"}


def test_check_config_names_what_is_missing_and_exits_2():
    code, states, said = config()

    assert code == 2
    assert {name for name, state in states.items() if state == "missing"} == {
        *("SECRET_KEY", "TMDB_API_KEY", "TMDB_BEARER_TOKEN")
    }
    assert said == ["CommandError: SECRET_KEY is not set", NEITHER]


def test_check_config_names_what_is_malformed_and_exits_2():
    wrong = BAD_VALUES | {
        "ALERT_EMAILS": f"{SECRET}",
        "EMAIL_URL": f"http://user:{SECRET}@mail",
        "ALERT_WEBHOOK_URL": f"ftp://{SECRET}",
        "SITE_URL": "trr.example.org",
        "LOG_FORMAT": "xml",
        "HISTORY_DAYS": "0",
        "TMDB_API_KEY": f"{SECRET} {SECRET}",
    }

    code, states, said = config(SECRET_KEY=SECRET, **wrong)

    assert code == 2
    assert {name for name, state in states.items() if state == "malformed"} == set(wrong)
    assert len(said) == len(wrong)


def test_check_config_names_half_of_a_pair_as_missing():
    code, states, said = config(**COMPLETE, AWS_S3_BUCKET="b", AWS_ACCESS_KEY_ID=SECRET)

    assert (code, states["AWS_ACCESS_KEY_ID"], states["AWS_SECRET_ACCESS_KEY"]) == (2, "set", "missing")
    assert said == ["CommandError: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together: one is not set"]


def test_check_config_names_what_the_env_file_has_for_nothing(tmp_path):
    env_file = tmp_path / ".env"
    env_file.write_text(f"SECRET_KEY={SECRET}\nTMDB_API_KEY={SECRET}\nTMDB_APIKEY={SECRET}\nOLD={SECRET}\n")

    code, states, said = config(ENV_FILE=str(env_file))

    assert code == 0
    assert {name for name, state in states.items() if state == "unused"} == {"TMDB_APIKEY", "OLD"}
    assert said == [f"{name} in {env_file} is used by nothing" for name in ("OLD", "TMDB_APIKEY")]


def test_check_config_works_without_a_database(tmp_path):
    code, _, said = config(**COMPLETE, DATABASE_URL=f"sqlite:///{tmp_path}/none/db.sqlite3", ALERT_EMAILS="a@b.example")

    assert code == 0
    assert said == ["ALERT_EMAILS is set and EMAIL_URL is not: mail goes to port 25 of this machine"]
