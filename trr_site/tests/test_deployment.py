"""Dockerfile, compose.yaml, Caddyfile and systemd units against what the code needs."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.urls import resolve

from ingestion import launcher
from trr_site import stopping

from .deployment import (
    LASTING,
    OURS,
    ROOT,
    UNITS,
    commands,
    compose,
    copies,
    dockerfile,
    final_stage,
    image_environment,
    is_ignored,
    of_image,
    option,
    services,
    unit,
    unit_command,
)

pytestmark = pytest.mark.once

BIN = Path(sys.executable).parent
PINNED = re.compile(r"[a-z/]+:\d+(\.\d+)*(-[a-z]+)*")
SECRET = re.compile(r"KEY|TOKEN|PASSWORD|SECRET")
NEEDED_BY_COMPOSE = {"POSTGRES_PASSWORD", "PUBLISH_ON"}
CADDY = {"SITE_URL", "TRR_WEB", "TRR_WS"}


def example() -> set[str]:
    return set(re.findall(r"^([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


# --- the image


def test_image_takes_the_whole_program():
    sources = {source for these, _ in copies() for source in these}

    ours = {app.split(".")[0] for app in settings.INSTALLED_APPS if (ROOT / app.split(".")[0]).is_dir()}
    assert sources >= ours | {"manage.py", "trr_site", "templates"}
    assert [source for source in sources if not (ROOT / source).exists() or is_ignored(source)] == []


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".env.production", ".git/config", ".venv/bin/python", "media/images/logos/networks/74/a.png"),
        *("db.sqlite3", "db.sqlite3-wal", "demo/.data/1/db.sqlite3", "catalog/old.sqlite3", "static_root/a.css"),
        *("catalog/tests/conftest.py", "catalog/__pycache__/urls.cpython-311.pyc"),
    ],
)
def test_builder_is_not_sent(path):
    assert is_ignored(path)


@pytest.mark.parametrize(
    "path", ["manage.py", "requirements.txt", "catalog/static/catalog/desk.css", "trr_site/urls.py"]
)
def test_builder_is_sent(path):
    assert not is_ignored(path)


def test_image_runs_as_a_user_who_owns_nothing_of_it():
    (user,) = of_image("USER")
    order = [step.name for step in final_stage()]

    assert user.text.isdigit()
    assert int(user.text) >= 1000
    assert any(f"useradd --uid {user.text} " in run.text for run in of_image("RUN"))
    assert {"RUN", "COPY"}.isdisjoint(order[order.index("USER") :])


def test_no_layer_holds_a_secret():
    names = [name for step in dockerfile() if step.name in ("ENV", "ARG") for name in re.findall(r"(\w+)=", step.text)]

    assert [name for name in names if SECRET.search(name)] == []
    assert [step.text for step in dockerfile() if step.name == "COPY" and ".env" in step.text] == []


def test_version_reaches_the_code():
    assert "TRR_VERSION=" in [arg.text for arg in of_image("ARG")]
    assert image_environment()["TRR_VERSION"] == "$TRR_VERSION"
    assert services()["web"]["build"]["args"].keys() == {"TRR_VERSION"}


def test_every_image_is_pinned():
    bases = [step.text.split()[0] for step in dockerfile() if step.name == "FROM"]
    images = [service["image"] for name, service in services().items() if name not in OURS]

    assert [image for image in bases + images if not PINNED.fullmatch(image)] == []
    assert {services()[name]["image"] for name in OURS} == {"trr:built"}


def test_dump_program_is_as_new_as_the_server():
    # Debian 12 has PostgreSQL 15.
    assert {step.text.split()[0].rsplit("-", 1)[1] for step in dockerfile() if step.name == "FROM"} == {"bookworm"}
    assert services()["postgres"]["image"] == "postgres:15-bookworm"


def test_python_is_one_that_the_code_is_checked_for():
    assert {step.text.split()[0] for step in dockerfile() if step.name == "FROM"} == {"python:3.11-slim-bookworm"}
    assert 'target-version = "py311"' in (ROOT / "pyproject.toml").read_text()


# --- what is started


def test_every_command_of_manage_exists():
    called = {command[command.index("manage.py") + 1] for command in commands() if "manage.py" in command}

    assert called == {"migrate", "setup_schedules", "run_worker", "check_worker", "check"}
    assert called <= set(get_commands())


def test_every_program_and_entry_point_exists():
    programs = {Path(command[0]).name for command in commands()}
    modules = {word.split(":")[0] for command in commands() for word in command if word.endswith(":application")}

    assert programs == {"python", "granian", "daphne"}
    assert [program for program in programs if not (BIN / program).exists()] == []
    assert modules == {"trr_site.wsgi", "trr_site.asgi"}
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_no_shell_stands_between_a_signal_and_its_process():
    words = [word for command in commands() for word in command]

    assert [word for word in words if re.search(r"\bsh$|[;&|]", word)] == []
    assert of_image("STOPSIGNAL")[-1].text == "SIGTERM"
    # A first process without a handler would ignore SIGTERM, and nobody would bury what a killed cluster leaves.
    assert [name for name in OURS if not services()[name]["init"]] == []


def test_units_start_what_the_image_starts():
    web, ws = of_image("CMD")[-1].words, services()["ws"]["command"]

    def bare(command: list[str]) -> list[str]:
        """Without what differs: the folder of the program, and where it listens."""
        return [Path(command[0]).name, *[word for word in command[1:] if word not in ("0.0.0.0", "127.0.0.1")]]  # noqa: S104

    assert bare(unit_command("trr-web.service")) == bare(web)
    assert bare(unit_command("trr-ws.service")) == bare(ws)
    assert bare(unit_command("trr-worker.service")) == bare(services()["worker"]["command"])
    assert {option(unit_command("trr-web.service"), "--host"), option(unit_command("trr-ws.service"), "--bind")} == {
        "127.0.0.1"
    }


def test_web_has_a_thread_for_each_connection_of_its_pool():
    pool = re.search(r'"pool": {[^}]*"max_size": (\d+)', (ROOT / "trr_site" / "settings.py").read_text())

    assert pool is not None
    assert option(of_image("CMD")[-1].words, "--blocking-threads") == pool[1]


# --- names and ports


def test_every_variable_is_one_that_the_settings_ask_for():
    given = {name for service in OURS for name in services()[service]["environment"]}
    given |= {line.split("=")[0] for name in UNITS for line in unit(name)["Service"].get("Environment", [])}
    given |= image_environment().keys() - {"PATH", "PYTHONUNBUFFERED"}

    assert given - settings.ENVIRONMENT_NAMES == set()


def test_every_variable_that_compose_asks_for_is_in_the_example():
    asked = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text())) - {"TRR_VERSION"}

    assert asked - settings.ENVIRONMENT_NAMES == NEEDED_BY_COMPOSE
    assert asked - example() == set()


def test_example_and_settings_know_the_same_names():
    internal = {"ENV_FILE", "TRR_PROCESS", "TRR_WORKER", "TRR_VERSION", "DEMO"}

    assert example() == (settings.ENVIRONMENT_NAMES - internal) | NEEDED_BY_COMPOSE


def test_ports_agree():
    caddy = dict(re.findall(r"\{\$(TRR_\w+):127\.0\.0\.1:(\d+)\}", (ROOT / "deploy" / "Caddyfile").read_text()))
    proxy = services()["proxy"]["environment"]
    web, ws = of_image("CMD")[-1].words, services()["ws"]["command"]

    assert (proxy["TRR_WEB"], proxy["TRR_WS"]) == (f"web:{option(web, '--port')}", f"ws:{option(ws, '--port')}")
    assert of_image("EXPOSE")[-1].text == of_image("HEALTHCHECK")[-1].words[-1] == option(web, "--port")
    assert services()["ws"]["healthcheck"]["test"][-1] == option(ws, "--port")
    assert caddy == {"TRR_WEB": option(web, "--port"), "TRR_WS": option(ws, "--port")}


def test_proxy_asks_for_what_it_is_given_and_sends_the_rooms_to_the_websocket():
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text()

    assert set(re.findall(r"\{\$(\w+)", caddyfile)) == set(services()["proxy"]["environment"]) == CADDY
    assert re.search(r"handle /api/v1/ws/\* \{\s*reverse_proxy \{\$TRR_WS:", caddyfile)
    assert services()["proxy"]["volumes"][0] == "./deploy/Caddyfile:/etc/caddy/Caddyfile:ro"


def test_proxy_is_believed_and_nothing_else_is_to_be_reached():
    assert {services()[name]["environment"]["TRUSTED_PROXIES"] for name in ("web", "ws")} == {"1"}
    assert [unit(name)["Service"]["Environment"] for name in UNITS[:2]] == [["TRUSTED_PROXIES=1"]] * 2
    assert [name for name, service in services().items() if "ports" in service] == ["proxy"]
    assert {port.rsplit(":", 2)[0] for port in services()["proxy"]["ports"]} == {"${PUBLISH_ON:-127.0.0.1}"}
    assert [services()[name]["networks"] for name in ("postgres", "redis")] == [["data"], ["data"]]
    assert compose()["networks"]["data"] == {"internal": True}
    assert "networks" not in services()["proxy"]


def test_health_is_asked_where_it_is_answered():
    assert resolve("/health").view_name == "health"
    assert '"/health"' in (ROOT / "deploy" / "healthy.py").read_text()
    checked = {name for name, service in services().items() if "test" in service.get("healthcheck", {})} | {"web"}
    assert checked == set(LASTING)


# --- order, restarts, stops


def test_all_wait_for_the_database_to_be_up_to_date():
    done = {"condition": "service_completed_successfully"}
    healthy = {"condition": "service_healthy"}

    assert services()["migrate"]["depends_on"] == {"postgres": healthy}
    assert services()["schedules"]["depends_on"]["migrate"] == done
    for name in ("web", "ws", "worker"):
        assert services()[name]["depends_on"] == {"schedules": done, "postgres": healthy, "redis": healthy}
    assert services()["proxy"]["depends_on"] == {"web": healthy, "ws": healthy}


def test_what_ends_is_started_again_but_for_what_is_done_once():
    assert {services()[name]["restart"] for name in LASTING} == {"unless-stopped"}
    assert {services()[name]["restart"] for name in ("migrate", "schedules")} == {"no"}
    assert {tuple(unit(name)["Service"]["Restart"]) for name in UNITS} == {("always",)}
    assert {tuple(unit(name)["Unit"]["StartLimitIntervalSec"]) for name in UNITS} == {("0",)}


def test_nobody_is_killed_before_he_could_end():
    of_granian = int(option(of_image("CMD")[-1].words, "--workers-kill-timeout"))

    for grace in (of_granian, stopping.GRACE):
        assert grace < seconds(services()["web"]["stop_grace_period"]) == seconds(services()["ws"]["stop_grace_period"])
        assert grace < int(unit("trr-web.service")["Service"]["TimeoutStopSec"][0])
        assert grace < int(unit("trr-ws.service")["Service"]["TimeoutStopSec"][0])
    assert seconds(services()["worker"]["stop_grace_period"]) > launcher.GRACE
    assert int(unit("trr-worker.service")["Service"]["TimeoutStopSec"][0]) > launcher.GRACE


def test_sigterm_goes_to_the_first_process_alone():
    # A cluster whose processes are all told at once hangs.
    assert {tuple(unit(name)["Service"]["KillMode"]) for name in UNITS} == {("mixed",)}


def test_websocket_may_open_as_many_files_as_it_takes_clients():
    assert services()["ws"]["ulimits"]["nofile"] > settings.WS_MAX_CONNECTIONS + 1000
    assert int(unit("trr-ws.service")["Service"]["LimitNOFILE"][0]) > settings.WS_MAX_CONNECTIONS + 1000


# --- what they may do


@pytest.mark.parametrize("name", sorted(services()))
def test_container_may_do_little(name):
    service = services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}


def test_what_must_outlive_a_container_is_on_a_volume():
    volumes = {volume.split(":")[0] for service in services().values() for volume in service["volumes"]}

    assert volumes - {"./deploy/Caddyfile"} == set(compose()["volumes"])
    for name in OURS:
        assert services()[name]["volumes"] == ["files:/var/lib/trr"]
        assert services()[name]["environment"]["MEDIA_ROOT"].startswith("/var/lib/trr/")


@pytest.mark.parametrize("name", UNITS)
def test_unit_may_do_little(name):
    section = unit(name)["Service"]

    assert section["User"] == ["trr"]
    assert section["Type"] == ["exec"]
    assert section["ProtectSystem"] == ["strict"]
    assert section["StateDirectory"] == ["trr"]
    assert {section[key][0] for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "PrivateDevices")} == {"true"}
    assert section["CapabilityBoundingSet"] == [""]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_nothing_wrong(name, tmp_path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    (tmp_path / "trr").symlink_to(ROOT)  # whose own path may have a blank, which a unit would have to quote
    (tmp_path / "bin").symlink_to(BIN)
    text = (ROOT / "deploy" / name).read_text().replace("/srv/trr/.venv/bin", str(tmp_path / "bin"))
    (tmp_path / name).write_text(text.replace("/srv/trr", str(tmp_path / "trr")))

    done = subprocess.run([analyze, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
