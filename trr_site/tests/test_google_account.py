"""What is wrong with the account or the workbook's id is one line each, and no byte of a key is in any of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ingestion.tests.test_checks import errors_of
from trr_site.google_account import (
    GOOGLE,
    AccountProblem,
    account_email,
    credentials,
    google_problems,
    is_stand_in,
)
from trr_site.settings import to_key_file, to_spreadsheet_id

pytestmark = pytest.mark.once

EMAIL = "exports@project.iam.gserviceaccount.com"
SECRET = "s3cr3t"
ID = "1aBcD_efGhIjKlMnOpQrStUvWxYz-0123456789abcdef"
NAMES = "the file that GOOGLE_APPLICATION_CREDENTIALS names"
DAMAGED = f"the key in {NAMES} is damaged: download it once more"
NO_JSON = f"{NAMES} is not JSON: expected a service account's key, as Google gives it out"
OTHER = f"{NAMES} is not the key of a service account"


@pytest.fixture(scope="module")
def private_key() -> str:
    key = generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def key(private_key: str) -> dict[str, Any]:
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": SECRET,
        "private_key": private_key,
        "client_email": EMAIL,
        "token_uri": "https://oauth2.googleapis.com/token",
    }


@pytest.fixture
def file(settings: Any, tmp_path: Path) -> Path:
    """Where the key file is expected."""
    path = tmp_path / "key.json"
    settings.GOOGLE_SHEETS_API_URL, settings.SPREADSHEET_ID = GOOGLE, "book"
    settings.GOOGLE_APPLICATION_CREDENTIALS = str(path)
    return path


def problem() -> str:
    """What is told of the account, at each place the same."""
    with pytest.raises(AccountProblem) as told:
        credentials()
    assert google_problems() == [str(told.value)]
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None, "its text may quote the key"
    return str(told.value)


# --- the account


def test_a_service_accounts_key_is_taken(file: Path, key: dict[str, Any]) -> None:
    file.write_text(json.dumps(key))

    account = credentials()

    assert account is not None
    assert account.service_account_email == account_email() == EMAIL
    assert account.scopes == ("https://www.googleapis.com/auth/spreadsheets",), "and no more than that"
    assert google_problems() == []


def test_no_key_is_told_by_the_variable(settings: Any, file: Path) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    assert problem() == "GOOGLE_APPLICATION_CREDENTIALS is not set: the path of a service account's key file (JSON)"
    assert account_email() == "the service account"


def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    assert problem() == f"{NAMES} can't be read: No such file or directory"


def test_a_folder_is_told(file: Path) -> None:
    file.mkdir()

    assert problem() == f"{NAMES} can't be read: Is a directory"


def test_a_path_that_can_be_none_is_told(settings: Any, file: Path) -> None:
    settings.GOOGLE_APPLICATION_CREDENTIALS = "key\0.json"

    assert problem() == NO_JSON


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", NO_JSON),
        (SECRET.encode(), NO_JSON),
        (f'{{"type": "service_account", "private_key": "{SECRET}'.encode(), NO_JSON),
        (f'{{"private_key": "{SECRET}\xff"}}'.encode("latin-1"), NO_JSON),
        (f'{{"private_key": "{SECRET}"}}'.encode("utf-16"), NO_JSON),
        (f'["{SECRET}"]'.encode(), OTHER),
        (b"null", OTHER),
        (b"{}", OTHER),
        (
            f'{{"type": "authorized_user", "refresh_token": "{SECRET}"}}'.encode(),
            f"{OTHER} (its type is authorized_user)",
        ),
        (f'{{"type": "external_account", "token": "{SECRET}"}}'.encode(), f"{OTHER} (its type is external_account)"),
        (f'{{"type": "-----BEGIN {SECRET}"}}'.encode(), OTHER),
        (f'{{"type": ["{SECRET}"]}}'.encode(), OTHER),
    ],
)
def test_what_is_no_service_accounts_key_is_told_without_its_content(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)

    assert problem() == words
    assert account_email() == "the service account"


def test_a_file_with_a_mark_of_its_bytes_order_is_read(file: Path, key: dict[str, Any]) -> None:
    file.write_bytes(json.dumps(key).encode("utf-8-sig"))

    assert credentials() is not None


@pytest.mark.parametrize(
    "flaw",
    [
        {"private_key": SECRET},
        {"private_key": ""},
        {"private_key": None},
        {"private_key": 7},
        {"private_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----\n"},
        {"client_email": None},
        {"token_uri": None},
    ],
)
def test_a_damaged_key_is_told_without_it(file: Path, key: dict[str, Any], flaw: dict[str, Any]) -> None:
    changed = {name: value for name, value in (key | flaw).items() if value is not None}
    file.write_text(json.dumps(changed))

    assert problem() == DAMAGED


def test_a_key_that_is_cut_off_is_damaged(file: Path, key: dict[str, Any]) -> None:
    file.write_text(json.dumps(key | {"private_key": key["private_key"][:800]}))

    assert problem() == DAMAGED


# --- a stand-in


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090", f"{GOOGLE}.example.org", "http://sheets.googleapis.com"])
def test_a_stand_in_needs_no_account_and_gets_none(settings: Any, file: Path, key: dict[str, Any], url: str) -> None:
    file.write_text(json.dumps(key))
    settings.GOOGLE_SHEETS_API_URL = url

    assert is_stand_in()
    assert credentials() is None
    assert account_email() == "the stand-in's account"
    assert google_problems() == []


# --- the workbook


def test_a_workbook_that_is_not_named_is_told_beside_the_account(settings: Any, file: Path) -> None:
    settings.SPREADSHEET_ID = settings.GOOGLE_APPLICATION_CREDENTIALS = ""
    workbook = "SPREADSHEET_ID is not set: the id of the workbook, as its address has it behind /d/"
    account = "GOOGLE_APPLICATION_CREDENTIALS is not set: the path of a service account's key file (JSON)"

    assert google_problems() == [workbook, account]
    assert google_problems(workbook=False) == [account]


@pytest.mark.parametrize(
    "text",
    [
        ID,
        f"https://docs.google.com/spreadsheets/d/{ID}",
        f"https://docs.google.com/spreadsheets/d/{ID}/",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit?gid=0#gid=0",
        f"https://docs.google.com/spreadsheets/d/{ID}/edit#gid=1234",
        f"https://docs.google.com/spreadsheets/d/{ID}?usp=sharing",
        f"https://docs.google.com/spreadsheets/u/1/d/{ID}/edit",
    ],
)
def test_the_workbook_is_named_by_its_id_or_its_whole_address(text: str) -> None:
    assert to_spreadsheet_id(text) == ID


@pytest.mark.parametrize(
    "text",
    [
        "Realitease 2025",
        "https://example.org/spreadsheets/d/x/edit",
        "https://docs.google.com/document/d/x/edit",
        "https://docs.google.com/spreadsheets/d//edit",
        "https://docs.google.com/spreadsheets/d/",
        f"../{SECRET}",
        f"{ID}/edit",
        f"{ID}\n{SECRET}",
    ],
)
def test_what_names_no_workbook_is_malformed_and_not_shown(text: str) -> None:
    assert errors_of(SPREADSHEET_ID=text) == [
        "SPREADSHEET_ID is malformed: expected the id in the workbook's address, behind /d/"
    ]


# --- the environment


def test_a_key_that_stands_where_its_path_belongs_is_malformed_and_not_shown(key: dict[str, Any]) -> None:
    told = "GOOGLE_APPLICATION_CREDENTIALS is malformed: expected the path of a service account's key file"

    assert errors_of(GOOGLE_APPLICATION_CREDENTIALS=json.dumps(key)) == [told]
    assert errors_of(GOOGLE_APPLICATION_CREDENTIALS=key["private_key"]) == [told]
    assert errors_of(GOOGLE_APPLICATION_CREDENTIALS=" /run/secrets/key.json ") == []
    assert to_key_file("C:\\keys\\our key.json") == "C:\\keys\\our key.json"


def test_what_is_malformed_is_told_once_and_not_as_missing_too(settings: Any, file: Path) -> None:
    malformed = [
        "GOOGLE_APPLICATION_CREDENTIALS is malformed: expected the path of a service account's key file",
        "SPREADSHEET_ID is malformed: expected the id in the workbook's address, behind /d/",
    ]
    settings.ENVIRONMENT_ERRORS = [*malformed, "TMDB_API_URL is malformed: expected an http(s) URL"]
    settings.SPREADSHEET_ID = settings.GOOGLE_APPLICATION_CREDENTIALS = ""

    assert google_problems() == malformed
