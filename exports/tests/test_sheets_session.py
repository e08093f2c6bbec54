"""The account's token goes to Google and nowhere else, and no secret into a message or a log."""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter

from demo.server import Reply, Request, Server
from demo.sheets import Fault, SheetsServer
from exports import sheets_session
from exports.sheets import TRIES, Sheets
from exports.sheets_errors import ExportProblem
from trr_site.google_account import GOOGLE
from trr_site.logs import MASK, JsonFormatter

from .conftest import BOOK

pytestmark = pytest.mark.once

TOKEN = "ya29.a-secret-token"
EMAIL = "exports@project.iam.gserviceaccount.com"
GOOD = Reply(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


class TokenServer:
    """Where Google gives out tokens. `replies`: what it answers, the last one for ever."""

    def __init__(self) -> None:
        self.replies = [GOOD]
        self.asked: list[Request] = []
        self.server = Server(("127.0.0.1", 0), self.respond)

    def respond(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture(scope="module")
def private_key() -> str:
    key = generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    served = TokenServer()
    threading.Thread(target=served.server.serve_forever, args=(0.05,), daemon=True).start()
    yield served
    served.server.close()


@pytest.fixture
def google(
    server: SheetsServer,
    token_server: TokenServer,
    private_key: str,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Sheets]:
    """Our own session to Google with a real key; what it sends to Google's address arrives at the stand-in."""
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda seconds: None)
    key = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key": private_key,
        "token_uri": f"http://127.0.0.1:{token_server.server.server_port}/token",
    }
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key))
    settings.GOOGLE_SHEETS_API_URL, settings.GOOGLE_APPLICATION_CREDENTIALS = GOOGLE, str(file)
    settings.SHEETS_BACKOFF = 0
    sheets = Sheets(BOOK)
    sheets.http.session.mount(GOOGLE, Rerouted(server.url))
    yield sheets
    sheets.close()


class Rerouted(HTTPAdapter):
    def __init__(self, url: str) -> None:
        super().__init__(max_retries=0)
        self.url = url

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        assert request.url is not None
        request.url = request.url.replace(GOOGLE, self.url)
        return super().send(request, **options)


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own logins: one for whatever host."""
    file = tmp_path / "netrc"
    file.write_text("default login netrc-user password netrc-password\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All that any logger wrote at any level, as our handlers write it."""
    assert caplog.records
    return "\n".join(map(JsonFormatter().format, caplog.records))


def authorizations(server: SheetsServer) -> list[str | None]:
    return [call.headers.get("authorization") for call in server.calls]


# --- who is sent the token


def test_google_is_sent_the_accounts_token_which_is_asked_for_once(
    google: Sheets, server: SheetsServer, token_server: TokenServer
) -> None:
    google.fetch_book()
    google.write_values("Sheet1", 1, [["x"]])

    assert authorizations(server) == [f"Bearer {TOKEN}"] * 2
    assert len(token_server.asked) == 1


def test_a_netrc_does_not_take_the_tokens_place(
    google: Sheets, server: SheetsServer, token_server: TokenServer, netrc: None
) -> None:
    google.fetch_book()

    assert authorizations(server) == [f"Bearer {TOKEN}"]
    assert "authorization" not in token_server.asked[0].headers


def test_a_stand_in_is_sent_no_credentials_whatever_there_are(
    server: SheetsServer, settings: Any, tmp_path: Path, netrc: None
) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(tmp_path / "key.json")
    with requests.Session() as session:
        session.get(f"{server.url}/v4/spreadsheets/{BOOK}")  # the file is good: requests itself does send it

    sheets = Sheets(BOOK)
    sheets.fetch_book()
    sheets.write_values("Sheet1", 1, [["x"]])
    sheets.close()

    assert [bool(one) for one in authorizations(server)] == [True, False, False]


@pytest.mark.parametrize("url", [f"{GOOGLE}.example.org", "http://sheets.googleapis.com", f"{GOOGLE}:8443"])
def test_what_only_looks_like_google_is_a_stand_in(settings: Any, url: str) -> None:
    settings.GOOGLE_SHEETS_API_URL = url

    session = sheets_session.open_session()

    assert isinstance(session, sheets_session.StandInSession)
    session.close()


# --- tokens that are not given


def test_a_token_that_is_over_is_asked_for_anew(
    google: Sheets, server: SheetsServer, token_server: TokenServer
) -> None:
    server.fail(1, Fault(status=401))

    google.fetch_book()

    assert len(token_server.asked) == 2


def test_a_key_that_google_refuses_is_told_in_words(
    google: Sheets, server: SheetsServer, token_server: TokenServer
) -> None:
    token_server.replies = [Reply(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})]

    with pytest.raises(ExportProblem) as problem:
        google.fetch_book()

    assert str(problem.value) == (
        f"Google refused the key of {EMAIL}: invalid_grant: Invalid JWT Signature. Is it deleted, or this machine's "
        "clock wrong?"
    )
    assert problem.value.refused
    assert (server.calls, len(token_server.asked)) == ([], 1)


PASSING = {
    "no connection": Reply(drop=True),
    "busy": Reply(503, {"error": "temporarily_unavailable"}),
    "failed": Reply(500, {"error": "internal_failure"}),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_where_tokens_come_from_may_fail_for_a_while(
    google: Sheets, server: SheetsServer, token_server: TokenServer, reply: Reply
) -> None:
    token_server.replies = [reply, reply, reply, reply, GOOD]

    assert google.fetch_book().title == "Realitease2025Data"


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_who_gets_no_token_gives_up_in_words(
    google: Sheets, server: SheetsServer, token_server: TokenServer, reply: Reply
) -> None:
    token_server.replies = [reply]

    with pytest.raises(ExportProblem, match=rf"Google gave no token: .* \({TRIES} tries\)") as problem:
        google.fetch_book()

    assert not problem.value.refused
    assert server.calls == []


def test_what_answers_in_the_place_of_google_is_told_in_words(google: Sheets, token_server: TokenServer) -> None:
    token_server.replies = [Reply(200, b"<html>Log in to the hotel's network</html>")]

    with pytest.raises(ExportProblem, match="Google Sheets answered something else than it should"):
        google.fetch_book()


def test_a_workbook_that_is_not_shared_is_told_with_whom_to_share_it(google: Sheets, server: SheetsServer) -> None:
    server.forbidden.add(BOOK)

    with pytest.raises(ExportProblem, match=f"no access to the workbook: share it with {EMAIL} as an editor"):
        google.fetch_book()


# --- secrets


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(status=400, message=f"Bad token {TOKEN} and key-of-ours"),
        Fault(status=503, body=f"<html>{TOKEN}, key-of-ours".encode()),
        Fault(status=403, message="key-of-ours"),
        Fault(status=200, body=f"<html>{TOKEN}, key-of-ours".encode()),
        Fault(drop=True),
    ],
)
def test_no_secret_is_told_or_logged(
    google: Sheets,
    server: SheetsServer,
    settings: Any,
    private_key: str,
    caplog: pytest.LogCaptureFixture,
    fault: Fault | None,
) -> None:
    settings.SECRETS = ["key-of-ours"]
    caplog.set_level(logging.DEBUG)
    told = ""
    if fault is not None:
        server.fail_always(fault)

    try:
        google.fetch_book()
    except ExportProblem as error:
        told = str(error)

    assert bool(told) == (fault is not None)
    assert (MASK in told) == (fault is not None and fault.status in (400, 403, 503) and not fault.drop)
    secrets = ("key-of-ours", TOKEN, *private_key.splitlines()[1:-1])
    assert [secret for secret in secrets if secret in told + logged(caplog)] == []


@pytest.mark.parametrize("reply", [GOOD, Reply(400, {"error": "invalid_grant", "error_description": "key-of-ours"})])
def test_no_secret_of_the_exchange_for_a_token_is_told_or_logged(
    google: Sheets,
    token_server: TokenServer,
    settings: Any,
    private_key: str,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
) -> None:
    settings.SECRETS = ["key-of-ours"]
    caplog.set_level(logging.DEBUG)
    token_server.replies = [reply]
    told = ""

    try:
        google.fetch_book()
    except ExportProblem as error:
        told = str(error)

    assertion = token_server.asked[0].body.decode().partition("assertion=")[2]
    secrets = ("key-of-ours", TOKEN, assertion, *private_key.splitlines()[1:-1])
    assert len(assertion) > 100
    assert [secret for secret in secrets if secret in told + logged(caplog)] == []
