"""`make demo`: a catalogue of real shows, imported, synced and exported over HTTP, with web and worker running."""

import argparse
import contextlib
import fcntl
import itertools
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

from demo.children import Child, Stopped, end, pause, run, stop_on_signals
from demo.sheets import SheetsServer, demo_workbook, start_sheets
from demo.upstream import Upstream, start_upstream

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "demo" / ".data"
CSV = Path("demo") / "shows.csv"  # as an operator would type it, from the root
MANAGE = (sys.executable, "manage.py")
LATENCY = 0.05  # seconds, so that the progress bar has something to show
BOOK = "demo"  # the id of the stand-in's workbook
PATIENCE = 40.0  # seconds until the web must answer

# Settings that a developer may have in the environment and that must not reach the demo.
FOREIGN = (
    *("TMDB_BEARER_TOKEN", "TMDB_REQUESTS_PER_SECOND", "TMDB_CONNECTIONS", "REDIS_URL", "ALLOWED_HOSTS"),
    *("CSRF_TRUSTED_ORIGINS", "CORS_ALLOW_ORIGINS", "SECURE_SSL_REDIRECT", "SPREADSHEET_ID"),
    *("SECURE_HSTS_SECONDS",),
    *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SHEETS_API_URL", "TRR_PROCESS"),
    *("API_PUBLIC", "API_REQUESTS_PER_MINUTE", "TRUSTED_PROXIES", "WS_POLL_SECONDS", "WS_HEARTBEAT_SECONDS"),
    *("WS_LOGIN_SECONDS", "WS_RECHECK_SECONDS", "WS_MAX_CONNECTIONS"),
    *("AWS_S3_BUCKET", "AWS_REGION", "AWS_S3_ENDPOINT_URL", "AWS_CDN_BASE_URL"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    *("WORKER_PROCESSES", "SITE_URL", "ALERT_EMAILS", "ALERT_FROM", "EMAIL_URL", "ALERT_WEBHOOK_URL", "METRICS_TOKEN"),
    *("LOG_FORMAT", "HISTORY_DAYS", "VOLATILE_HISTORY_DAYS", "RUNS_DAYS", "TASKS_DAYS", "RAW_REPLIES_DAYS"),
    *("LOGO_GRACE_DAYS", "TRR_WORKER"),
)


class Failed(Exception):
    """A step or a child failed: the demo ends with exit code 1."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop as soon as the web has answered")
    parser.add_argument("--port", type=int, default=8000, help="of the site; the next free one where it is taken")
    parser.add_argument("--upstream-port", type=int, default=8089, help="of the stand-in for TMDb")
    parser.add_argument("--sheets-port", type=int, default=8090, help="of the stand-in for Google Sheets")
    options = parser.parse_args()
    stop_on_signals()
    try:
        with contextlib.ExitStack() as stack:
            demo(stack, options)
    except Stopped:
        say("The demo has ended.")
    except Failed as failure:
        print(f"The demo failed: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


def demo(stack: contextlib.ExitStack, options: argparse.Namespace) -> None:
    """Every step in order. What it starts is ended by `stack`, last started first."""
    folder = stack.enter_context(data_folder())
    say(f"Data: {folder.relative_to(ROOT)} (fresh)")
    upstream = start_upstream(options.upstream_port, latency=LATENCY)
    stack.callback(upstream.close)
    where = on_port(options.upstream_port, upstream.port)
    say(f"Upstream: a stand-in for TMDb with {len(upstream.shows)} shows{where}")
    sheets = start_sheets(options.sheets_port, workbooks={BOOK: demo_workbook()}, latency=LATENCY)
    stack.callback(sheets.close)
    say(f"Google Sheets: a stand-in with the old workbook{on_port(options.sheets_port, sheets.port)}")
    port = free_port(options.port)
    settings = own_settings(folder, upstream, sheets)
    env = environment(os.environ, settings)
    manage = write_manage(folder, settings)

    step("Migrate", [*MANAGE, "migrate", "-v0"], env)
    step("Import", [*MANAGE, "import_shows", str(CSV)], env)
    step("Sync", [*MANAGE, "sync_shows"], env)
    step("Move in", [*MANAGE, "import_workbook", "google", "--write"], env)
    step("Export", [*MANAGE, "export_sheets", "--force"], env)
    logins = create_logins(env)

    web = (sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "trr_site.asgi:application")
    children: list[Child] = []
    stack.callback(end, children)
    children.append(Child("web", web, env, ROOT, folder / "web.log"))
    children.append(Child("worker", (*MANAGE, "run_worker"), env, ROOT, folder / "worker.log"))
    say(f"Start web and worker{on_port(options.port, port)}; logs are in {folder.relative_to(ROOT)}")
    site = f"http://127.0.0.1:{port}"
    await_web(site, children)
    say(closing_words(site, upstream, sheets, logins, manage))
    if options.once:
        check(children)
        return
    say("Ctrl-C ends all of it.")
    watch(children)


def say(text: str) -> None:
    print(text, flush=True)


def on_port(asked: int, got: int) -> str:
    return f", on port {got}" + ("" if got == asked else f" because {asked} is taken")


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """An emptied folder that no other demo uses, ours until the end."""
    for number in itertools.count(1):
        folder = DATA / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            if is_locked(lock):
                continue
            for leftover in [*folder.glob("db.sqlite3*"), *folder.glob("*.log")]:
                leftover.unlink()
            shutil.rmtree(folder / "media", ignore_errors=True)
            yield folder
            return


def is_locked(file: TextIO) -> bool:
    """Whether another process holds the file; where not, we do from now on."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def environment(outer: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of every child: the outer one without its settings, and the demo's own."""
    no_proxy = ",".join(filter(None, [outer.get("no_proxy") or outer.get("NO_PROXY"), "127.0.0.1,localhost"]))
    return {
        **{name: value for name, value in outer.items() if name not in FOREIGN and not name.startswith("AWS_")},
        **{"no_proxy": no_proxy, "NO_PROXY": no_proxy, "PYTHONUNBUFFERED": "1"},
        **settings,
    }


def own_settings(folder: Path, upstream: Upstream, sheets: SheetsServer) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "trr_site.settings",
        "ENV_FILE": "",  # the developer's .env is not the demo's
        "DEMO": "true",
        "DEBUG": "true",
        "SECRET_KEY": secrets.token_urlsafe(50),
        # Quoted: a blank or a % in the path would not survive the parsing of the URL.
        "DATABASE_URL": f"sqlite:///{quote(str(folder / 'db.sqlite3'))}",
        "MEDIA_ROOT": str(folder / "media"),
        "TMDB_API_URL": upstream.api_url,
        "TMDB_IMAGE_URL": upstream.image_url,
        "TMDB_API_KEY": upstream.key,
        "GOOGLE_SHEETS_API_URL": sheets.url,
        "SPREADSHEET_ID": BOOK,
    }


def write_manage(folder: Path, settings: Mapping[str, str]) -> str:
    """A script that is manage.py with the demo's settings, and how to call it from the root.

    It clears the environment's own settings first: a second terminal may hold those of a real database.
    """
    lines = ["#!/bin/sh", f"cd {shlex.quote(str(ROOT))} || exit 2", f"unset {' '.join(FOREIGN)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    lines.append(f'exec {shlex.quote(sys.executable)} manage.py "$@"\n')
    script = folder / "manage"
    script.touch(mode=0o700)  # before the secret key is in it
    script.write_text("\n".join(lines), encoding="utf-8")
    return str(script.relative_to(ROOT))


def free_port(first: int) -> int:
    """The first port from here on that nobody listens on."""
    for port in range(first, min(first + 100, 65536)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As the web server will: a port whose last connections are just closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed(f"no free port from {first} on")


def step(title: str, command: Sequence[str], env: Mapping[str, str]) -> None:
    say(f"{title}: {' '.join(command[1:])}")
    if code := run(title, command, env, ROOT):
        raise Failed(f"{' '.join(command[1:])} ended with exit code {code}")


def create_logins(env: Mapping[str, str]) -> dict[str, str]:
    """Name and password of each login."""
    say("Logins: manage.py create_demo_users")
    command = [*MANAGE, "create_demo_users"]
    made = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True
    )
    if made.returncode:
        raise Failed(f"manage.py create_demo_users ended with exit code {made.returncode}\n{made.stderr.strip()}")
    return dict(line.split() for line in made.stdout.splitlines() if line.strip())


def await_web(site: str, children: Sequence[Child]) -> None:
    """Return once GET / has answered well; Failed when a child ends, or the web fails or takes too long."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        check(children)
        try:
            with opener.open(f"{site}/", timeout=5):
                return
        except HTTPError as error:
            raise Failed(f"GET {site}/ answered {error.code}") from None
        except OSError:
            pause(0.1)
    raise Failed(f"{site}/ did not answer within {PATIENCE:.0f} s")


def check(children: Sequence[Child]) -> None:
    """Failed, with the name and code and last lines, when a child has ended by itself."""
    for child in children:
        code = child.process.poll()
        if code is not None:
            raise Failed(f"the {child.name} ended by itself with code {code}\n{child.last_words()}")


def watch(children: Sequence[Child]) -> NoReturn:
    while True:
        check(children)
        pause(0.2)


def closing_words(site: str, upstream: Upstream, sheets: SheetsServer, logins: Mapping[str, str], manage: str) -> str:
    passwords = "\n".join(f"            {name:9} password {password}" for name, password in logins.items())
    return f"""
Site        {site}/
API         {site}/api/v1/docs
Admin       {site}/admin/
{passwords}
Upstream    {upstream.url}/_demo
Workbook    {sheets.url}/spreadsheets/d/{BOOK}/edit

To try, in a second terminal:
  In admin, as editor: The Real Housewives of New Jersey came with the IMDb id of Top Gear and waits for
  you. Its own IMDb id is tt1411598.
  Change a show, and press Export to Google Sheets above the list of shows: the workbook follows.
  Sync again, and everything is unchanged:
    {manage} sync_shows --force
  Let the upstream fail a few times, then sync again and see it recover:
    curl -X POST '{upstream.url}/_demo/answer?status=429&count=5'
"""


if __name__ == "__main__":
    sys.exit(main())
