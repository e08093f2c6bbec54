"""What an environment of production makes of the settings; that of static files is in test_image.py."""

import os
import runpy
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client

from ingestion.tests.test_checks import ROOT, manage
from trr_site.static_files import CollectedStorage

pytestmark = pytest.mark.once

MONTH = 30 * 24 * 3600
PRODUCTION = {
    "SECRET_KEY": "s3cr3t-value-0123456789-abcdefghijklmnopqrstuvwxyz-!",
    "ALLOWED_HOSTS": "trr.example.org",
    "SECURE_SSL_REDIRECT": "true",
    "TRUSTED_PROXIES": "1",
    "TMDB_API_KEY": "s3cr3t-value-tmdb",
}
CHECK = ("check", "--deploy", "--fail-level", "WARNING")


def settings_of(**environment: str) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - {"PATH", "HOME"}:
            patch.delenv(name)
        for name, value in ({"ENV_FILE": ""} | environment).items():
            patch.setenv(name, value)
        return runpy.run_path(str(ROOT / "trr_site" / "settings.py"))


def test_environment_of_production_leaves_nothing_to_say():
    assert manage(*CHECK, **PRODUCTION) == (0, ["System check identified no issues (2 silenced)."])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SECRET_KEY": "s3cr3t-value"}, "security.W009"),
        ({"SECURE_SSL_REDIRECT": ""}, "security.W008"),
        ({"SECURE_HSTS_SECONDS": "0"}, "security.W004"),
        ({"SECURE_HSTS_SECONDS": "a month"}, "SECURE_HSTS_SECONDS is malformed: expected a whole number; 0 is never"),
        ({"DEBUG": "true"}, "security.W018"),
        ({"ALLOWED_HOSTS": ","}, "security.W020"),
        ({"TMDB_API_KEY": ""}, "TMDB_API_KEY is not set"),
    ],
)
def test_what_production_lacks_is_said(changed, said):
    code, lines = manage(*CHECK, **(PRODUCTION | changed))

    assert code == 2
    assert said in "\n".join(lines)


@pytest.mark.parametrize(
    ("environment", "promised"),
    [
        ({}, 0),
        ({"SECURE_SSL_REDIRECT": "true"}, MONTH),
        ({"SECURE_SSL_REDIRECT": "true", "SECURE_HSTS_SECONDS": "0"}, 0),
        ({"SECURE_SSL_REDIRECT": "true", "SECURE_HSTS_SECONDS": "31536000"}, 31536000),
        ({"SECURE_HSTS_SECONDS": "3600"}, 3600),  # the proxy redirects
    ],
)
def test_https_is_promised_for_a_month_where_it_is_enforced_unless_the_operator_says_otherwise(environment, promised):
    assert settings_of(**environment)["SECURE_HSTS_SECONDS"] == promised


@pytest.mark.parametrize("path", ["/health", "/health/ready", "/metrics"])
@pytest.mark.django_db
def test_machine_itself_is_answered_without_https(settings, path):
    settings.SECURE_SSL_REDIRECT = True

    assert Client().get(path).status_code != 301


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/health/", "/healthy", "/metrics/x", "/api/v1/health"])
def test_everybody_else_is_sent_to_https(settings, path):
    settings.SECURE_SSL_REDIRECT = True

    response = Client().get(path)

    assert (response.status_code, response["Location"]) == (301, f"https://testserver{path}")


def test_name_of_a_static_file_is_plain_unless_it_was_collected(tmp_path):
    storage = CollectedStorage(location=tmp_path)
    plain = storage.url("catalog/desk.css")

    storage.hashed_files = {"catalog/desk.css": "catalog/desk.0123456789ab.css"}

    assert plain == "/static/catalog/desk.css"
    assert storage.url("catalog/desk.css") == "/static/catalog/desk.0123456789ab.css"
    assert storage.url("catalog/new.css") == "/static/catalog/new.css"
    assert storage.url("") == "/static/"


def test_tests_do_not_go_by_what_a_developer_has_collected():
    assert staticfiles_storage.url("catalog/desk.css") == "/static/catalog/desk.css"
