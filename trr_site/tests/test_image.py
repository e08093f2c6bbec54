"""What the image would hold and start, laid out in a folder and run: the Dockerfile's own lines, without an engine."""

import gzip
import http.client
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import cache_from_source
from pathlib import Path

import pytest
from django.http.request import validate_host

from catalog.tests.daphnes import PATIENCE, free_port, wait_for
from trr_site.settings import to_list

from .deployment import ROOT, copies, image_environment, is_ignored, of_image

pytestmark = pytest.mark.once

HOST = "trr.example.org"
LOGIN = "/admin/login/"
BIN = Path(sys.executable).parent
STATIC = "from django.templatetags.static import static; print(static('catalog/desk.css'))"


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the COPY lines bring."""
    folder = tmp_path_factory.mktemp("image")

    def ignored(directory: str, names: list[str]) -> list[str]:
        below = Path(directory).relative_to(ROOT)
        return [name for name in names if is_ignored((below / name).as_posix())]

    for sources, target in copies():
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder / target, ignore=ignored)
            else:
                (folder / target).mkdir(exist_ok=True)
                shutil.copy(ROOT / source, folder / target)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the image may write to."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def env(data: Path) -> dict[str, str]:
    """Of a site in production behind its proxy, as the image and an operator say it."""
    environment = {name: value.replace("/var/lib/trr", str(data)) for name, value in image_environment().items()}
    return environment | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "TRR_VERSION": "1a2b3c",
        "SECRET_KEY": "of-the-image-0123456789-abcdefghijklmnopqrstuvwxyz-!",
        "ALLOWED_HOSTS": HOST,
        "SECURE_SSL_REDIRECT": "true",
        "TRUSTED_PROXIES": "1",
        "TMDB_API_KEY": "test-api-key-0123456789abcdef",
    }


def manage(folder: Path, env: dict[str, str], *arguments: str) -> str:
    command = ["python", "manage.py", *arguments]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def plain_address(laid_out: Path, env: dict[str, str]) -> str:
    """Of a static file before any is collected."""
    return manage(laid_out, env, "shell", "--verbosity=0", "-c", STATIC)


@pytest.fixture(scope="module")
def image(laid_out: Path, plain_address: str, env: dict[str, str]) -> Path:
    """With what the RUN line in our folder does, done as there: with no setting but what the line says itself."""
    (run,) = [step.text for step in of_image("RUN") if "manage.py" in step.text]
    building = {"PATH": env["PATH"]} | {name: env[name] for name in image_environment()}
    done = subprocess.run(
        ["/bin/sh", "-ec", run], cwd=laid_out, env=building, capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stderr) == (0, "")
    return laid_out


@pytest.fixture(scope="module")
def web(image: Path, env: dict[str, str], data: Path) -> Iterator[int]:
    """What the image starts, but on a free port of this machine alone."""
    port = free_port()
    moved = {"8000": str(port), "0.0.0.0": "127.0.0.1"}  # noqa: S104
    command = [moved.get(word, word) for word in of_image("CMD")[-1].words]
    with (data / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=image, env=env, stdout=log, stderr=log)
        try:
            wait_for(port, process)
            yield port
        finally:
            process.terminate()
            assert process.wait(PATIENCE) == 0


def get(port: int, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """No page that is asked for here needs a database: there is none."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path, headers={"Host": HOST} | {n.replace("_", "-"): v for n, v in headers.items()})
        response = connection.getresponse()
        return response, response.read()


def health(image: Path, env: dict[str, str], port: int) -> subprocess.CompletedProcess[str]:
    command = [*of_image("HEALTHCHECK")[-1].words[:-1], str(port)]
    return subprocess.run(command, cwd=image, env=env, capture_output=True, text=True, check=False, timeout=30)


def test_nothing_is_there_that_a_server_does_not_need(image):
    assert [path for path in image.rglob("*") if path.name in {"tests", ".env", ".git", "media", "demo"}] == []
    assert not list(image.rglob("*.sqlite3*"))


def test_code_is_compiled_and_nothing_is_written_beside_it(image, env, web):
    before = {path: path.stat().st_mtime for path in image.rglob("*")}

    assert get(web, LOGIN, X_Forwarded_Proto="https")[0].status == 200
    manage(image, env, "check", "--deploy", "--fail-level", "WARNING")

    assert {path: path.stat().st_mtime for path in image.rglob("*")} == before
    not_compiled = [path for path in image.rglob("*.py") if not Path(cache_from_source(str(path))).is_file()]
    assert not_compiled == []


def test_static_files_are_plain_before_they_are_collected(plain_address):
    assert plain_address == "/static/catalog/desk.css"


def test_static_files_are_hashed_compressed_and_kept_for_ever(web):
    page = get(web, LOGIN, X_Forwarded_Proto="https")[1].decode()
    address = page[page.index("/static/catalog/theme.") :].split('"')[0]

    response, body = get(web, address, X_Forwarded_Proto="https", Accept_Encoding="gzip")

    assert response.status == 200
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert (
        gzip.decompress(body) == (ROOT / "catalog" / "static" / "catalog" / f"theme{Path(address).suffix}").read_bytes()
    )


def test_static_file_that_was_not_collected_has_its_plain_name(image, env):
    added = image / "catalog" / "static" / "catalog" / "added.css"
    added.write_text("p {}")

    try:
        name = manage(image, env, "shell", "--verbosity=0", "-c", STATIC.replace("desk.css", "added.css"))
    finally:
        added.unlink()

    assert name == "/static/catalog/added.css"


def test_site_is_served_by_https_alone(web):
    by_http, _ = get(web, LOGIN)
    by_https, _ = get(web, LOGIN, X_Forwarded_Proto="https")

    assert (by_http.status, by_http.headers["Location"]) == (301, f"https://{HOST}{LOGIN}")
    assert by_https.status == 200
    assert by_https.headers["Strict-Transport-Security"] == "max-age=2592000"


def test_web_is_healthy_though_nobody_may_call_it_by_its_address(image, env, web):
    assert get(web, "/health", Host="127.0.0.1")[0].status == 400
    done = health(image, env, web)
    assert (done.returncode, done.stdout) == (0, f"GET http://127.0.0.1:{web}/health answered 200\n")


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        *(("trr.example.org", HOST), (" , trr.example.org,b.example", HOST), (".example.org", "example.org")),
        *(("*", "localhost"), ("", "localhost"), ("[::1],localhost", "[::1]")),
    ],
)
def test_health_check_calls_by_a_name_that_may_be_called(allowed, host, settings):
    assert runpy.run_path(str(ROOT / "deploy" / "healthy.py"))["allowed_host"](allowed) == host

    assert validate_host(host, to_list(allowed) or settings.ALLOWED_HOSTS)


def test_unhealthy_is_said_with_its_reason(image, env, web):
    closed = free_port()

    refused = health(image, env, closed)
    misled = health(image, env | {"ALLOWED_HOSTS": "other.example"}, web)

    asked = "GET http://127.0.0.1:{}/health"
    assert (refused.returncode, refused.stdout) == (1, f"{asked.format(closed)}: [Errno 111] Connection refused\n")
    assert (misled.returncode, misled.stdout) == (1, f"{asked.format(web)} answered 400\n")
