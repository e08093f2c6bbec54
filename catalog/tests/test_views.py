from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from catalog.logos import logo_key, read_logo, save_logo_file
from catalog.models import Show
from catalog.tests.pictures import draw


@pytest.mark.django_db
def test_the_front_page_counts_and_leads_on(client: Client, show: Show, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(3):
        page = client.get("/")

    assert page.status_code == 200
    text = page.content.decode()
    assert "1 show," in text
    assert 'href="/admin/"' in text
    assert 'href="/health"' in text


@pytest.mark.django_db
def test_the_front_page_of_an_empty_installation_says_how_to_begin(client: Client) -> None:
    assert "import_shows" in client.get("/").content.decode()


def test_health_answers_without_a_database(client: Client) -> None:
    reply = client.get("/health")  # no database is allowed in this test

    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/health", "/media/images/logos/networks/1/a.png"])
def test_nothing_here_can_be_written(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405


def read(client: Client, path: str, **headers: str) -> Any:
    reply = client.get(path, **headers)  # type: ignore[arg-type]
    if reply.streaming:
        body = b"".join(reply.streaming_content)  # type: ignore[arg-type]
        return reply, body
    return reply, reply.content


@pytest.mark.parametrize(("kind", "content_type"), [("PNG", "image/png"), ("WEBP", "image/webp")])
def test_a_logo_is_served_for_ever_and_as_an_image_only(
    client: Client, media: Path, kind: str, content_type: str
) -> None:
    file = read_logo(draw(kind))
    key = logo_key("networks", 74, file)
    save_logo_file(key, file)

    reply, body = read(client, f"/media/{key}")

    assert (reply.status_code, body) == (200, file.content)
    assert reply["Content-Type"] == content_type
    assert reply["Cache-Control"] == "public, max-age=31536000, immutable"
    assert reply["X-Content-Type-Options"] == "nosniff"
    again, _ = read(client, f"/media/{key}", HTTP_IF_MODIFIED_SINCE=reply["Last-Modified"])
    assert again.status_code == 304


@pytest.mark.parametrize(
    "path",
    [
        "secret.png",
        "images/secret.png",
        "images/logos",
        "images/logos/",
        "images/logos/networks",
        "images/logos/absent.png",
        "images/logos/../../secret.png",
        "images/logos/networks/../../../secret.png",
        "images/logos/%2e%2e/%2e%2e/secret.png",
        "images/logos/../../../outside.png",
        "images/logos/page.html",
        "images/logos/drawing.svg",
        "images/logos/.abc.part",
        "images/logos//etc/passwd",
    ],
)
def test_nothing_else_in_the_media_folder_or_above_it_is_served(client: Client, media: Path, path: str) -> None:
    (media / "images/logos/networks").mkdir(parents=True)
    for name in ("secret.png", "images/secret.png", "../outside.png", "images/logos/page.html"):
        (media / name).write_bytes(b"secret")
    for name in ("drawing.svg", ".abc.part"):
        (media / "images/logos" / name).write_bytes(b"secret")

    assert client.get(f"/media/{path}").status_code == 404


def test_with_a_bucket_no_local_file_is_served(client: Client, media: Path, settings: Any) -> None:
    file = read_logo(draw())
    save_logo_file("images/logos/a.png", file)
    settings.AWS_S3_BUCKET = "bucket"

    assert client.get("/media/images/logos/a.png").status_code == 404
