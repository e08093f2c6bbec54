"""Speaks to Google Sheets with the account's credentials or, to a stand-in, with none; bounded in time and size."""

import time
from typing import Any, Final

import orjson
import requests
from django.conf import settings
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.service_account import Credentials
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from trr_site.google_account import GOOGLE, credentials

TIMEOUT: Final = (5.0, 180.0)  # seconds: to connect, between two bytes; Google gives a request 180 s
DEADLINE: Final = 240.0  # seconds for one whole reply
MOST_BYTES: Final = 200 * 2**20  # of a reply
CHUNK: Final = 64 * 1024


class Bounded(requests.Session):
    """Reads replies whole, but neither for ever nor without end. Follows no redirect: it would take the token along.

    Sends JSON as `Sheets` counts its bytes: requests would write six of them for each character beyond ASCII.
    """

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        if (body := kwargs.pop("json", None)) is not None:
            kwargs["data"] = orjson.dumps(body)
            kwargs["headers"] = {**(kwargs.get("headers") or {}), "Content-Type": "application/json"}
        return super().request(method, url, *args, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = super().send(request, **{**kwargs, "stream": True, "allow_redirects": False})
        deadline = time.monotonic() + DEADLINE
        parts, size = [], 0
        for part in response.iter_content(CHUNK):
            size += len(part)
            if size > MOST_BYTES:
                response.close()
                raise requests.exceptions.ContentDecodingError("the reply is too large")
            if time.monotonic() > deadline:
                response.close()
                raise requests.exceptions.ReadTimeout("the reply was not complete in time")
            parts.append(part)
        response._content = b"".join(parts)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


class NoNetrc(AuthBase):
    """Keeps requests from sending what it finds in the user's .netrc, in the place of the token too."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class GoogleSession(Bounded, AuthorizedSession):
    """Sends the service account's token, which it gets over a session of its own."""

    def __init__(self, account: Credentials) -> None:
        self.login = requests.Session()
        super().__init__(account, auth_request=Request(self.login))  # type: ignore[no-untyped-call]
        self.auth = self.login.auth = NoNetrc()

    def close(self) -> None:
        self.login.close()
        super().close()  # type: ignore[no-untyped-call]


class StandInSession(Bounded):
    """Sends to the stand-in what is meant for Google (gspread's addresses are constants), and no credentials."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.trust_env = False  # a .netrc would add some

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, str(url).replace(GOOGLE, self.url, 1), *args, **kwargs)


def open_session() -> requests.Session:
    """Raises AccountProblem. No request is made here."""
    account = credentials()
    session = StandInSession(settings.GOOGLE_SHEETS_API_URL) if account is None else GoogleSession(account)
    session.mount("https://", HTTPAdapter(max_retries=0))  # `Sheets.call` retries
    session.mount("http://", HTTPAdapter(max_retries=0))
    return session
