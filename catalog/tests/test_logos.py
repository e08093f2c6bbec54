import hashlib
import os
import signal
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.changes import Author
from catalog.logos import (
    COLUMNS,
    MAX_BYTES,
    UnusableLogo,
    hosted_columns,
    logo_folder,
    logo_key,
    read_logo,
    save_logo_file,
    upload_logo,
)
from catalog.models import Network, ProductionCompany, Show, WatchProvider
from catalog.storage import WholeFileStorage
from catalog.tests.pictures import draw, gif_of_size, png_of_size

NOW = datetime(2026, 1, 2, tzinfo=UTC)


# --- reading


@pytest.mark.parametrize(
    ("kind", "extension", "content_type"),
    [
        ("PNG", "png", "image/png"),
        ("JPEG", "jpg", "image/jpeg"),
        ("WEBP", "webp", "image/webp"),
        ("GIF", "gif", "image/gif"),
    ],
)
def test_a_logo_is_what_its_bytes_are(kind: str, extension: str, content_type: str) -> None:
    content = draw(kind)

    file = read_logo(content)

    assert (file.content, file.extension, file.content_type) == (content, extension, content_type)
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert file.etag == f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"x" * (MAX_BYTES + 1), "more than 5 MB"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "SVG"),
        (b"<svg/>", "SVG"),
        (b"  <!DOCTYPE html><html><body>Not found</body></html>", "HTML"),
        (b'{"status_code": 34}', "JSON"),
        (b"BM" + b"\x00" * 100, "something else"),
        (b"%PDF-1.4 ...", "something else"),
        (b"\x00" * 1000, "something else"),
        (draw("BMP"), "something else"),
        (draw("TIFF"), "something else"),
        (draw("ICO"), "something else"),
        (draw()[:8], "PNG|something else|broken"),
        (png_of_size(5001, 5000), "25 million pixels"),
        (png_of_size(8000, 8000), "25 million pixels"),
        (png_of_size(2**31 - 1, 2**31 - 1), "25 million pixels"),
        (png_of_size(5000, 5000), "broken"),
        (gif_of_size(6000, 6000), "25 million pixels"),
        (gif_of_size(65535, 65535), "25 million pixels"),
    ],
)
def test_anything_else_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    with warnings.catch_warnings(record=True) as told, pytest.raises(UnusableLogo, match=reason):
        read_logo(content)

    assert told == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_image_is_refused(kind: str, share: float) -> None:
    content = draw(kind, (120, 90))

    with pytest.raises(UnusableLogo):
        read_logo(content[: int(len(content) * share)])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_an_image_without_its_last_bytes_is_refused(kind: str) -> None:
    with pytest.raises(UnusableLogo):
        read_logo(draw(kind, (120, 90))[:-2])


@settings(max_examples=200, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]),
    position=st.integers(0, 10_000),
    patch=st.binary(min_size=1, max_size=8),
)
def test_broken_bytes_are_refused_or_read_and_never_anything_else(kind: str, position: int, patch: bytes) -> None:
    content = bytearray(draw(kind))
    position %= len(content)
    content[position : position + len(patch)] = patch

    reason = ""
    try:
        read_logo(bytes(content))
    except UnusableLogo as error:
        reason = str(error) or "no reason"

    assert reason != "no reason"


def test_a_warning_of_pillow_is_no_way_out_when_filters_were_reset() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(UnusableLogo, match="25 million"):
            read_logo(png_of_size(6000, 6000))


def test_logos_are_read_in_many_threads() -> None:
    contents = [draw("PNG", colour=number) for number in range(20)] + [png_of_size(6000, 6000)] * 20

    def outcome(content: bytes) -> str:
        try:
            return read_logo(content).extension
        except UnusableLogo:
            return "refused"

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(outcome, contents)) == ["png"] * 20 + ["refused"] * 20


# --- naming


def test_the_key_names_the_kind_the_entity_and_the_bytes() -> None:
    file = read_logo(draw())

    assert logo_key("networks", 74, file) == f"images/logos/networks/74/{file.sha256}.png"
    assert [logo_folder(model) for model in (Network, ProductionCompany, WatchProvider)] == [
        "networks",
        "production_companies",
        "watch_providers",
    ]
    assert logo_folder(Network(id=1)) == "networks"
    with pytest.raises(TypeError):
        logo_folder(Show)  # type: ignore[arg-type]


def test_the_columns_say_what_was_stored_and_that_no_error_is_left() -> None:
    file = read_logo(draw())

    columns = hosted_columns("k", file, "/a.png", NOW)

    assert set(columns) == set(COLUMNS)
    assert columns == {
        "hosted_logo_key": "k",
        "hosted_logo_sha256": file.sha256,
        "hosted_logo_content_type": "image/png",
        "hosted_logo_bytes": len(file.content),
        "hosted_logo_etag": file.etag,
        "hosted_logo_at": NOW,
        "hosted_logo_path": "/a.png",
        "logo_error": "",
    }


# --- storing in a folder


def test_a_logo_is_stored_under_its_key_alone_and_again_without_a_second_name(media: Path) -> None:
    file = read_logo(draw())
    key = logo_key("networks", 1, file)

    save_logo_file(key, file)
    save_logo_file(key, file)

    assert [path.relative_to(media).as_posix() for path in media.rglob("*") if path.is_file()] == [key]
    assert (media / key).read_bytes() == file.content
    assert (media / key).stat().st_mode & 0o777 == 0o644


def test_a_storage_that_would_take_another_name_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
    file = read_logo(draw())
    save_logo_file("images/logos/networks/1/a.png", file)

    with pytest.raises(RuntimeError, match="overwrites"):
        save_logo_file("images/logos/networks/1/a.png", file)

    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    class Broken(ContentFile):  # type: ignore[type-arg]
        def chunks(self, chunk_size: int | None = None) -> Any:
            yield b"half"
            raise OSError("disk full")

    storage = WholeFileStorage(location=tmp_path, allow_overwrite=True)

    with pytest.raises(OSError, match="disk full"):
        storage.save("images/logos/a.png", Broken(b"whole"))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


KILLED = """
import os, signal, sys
from django.conf import settings
settings.configure(MEDIA_ROOT=sys.argv[1])
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from catalog.storage import WholeFileStorage

class Killer(ContentFile):
    def chunks(self, chunk_size=None):
        yield b"half" * 100_000
        os.kill(os.getpid(), signal.SIGKILL)

storage = {"whole": WholeFileStorage, "django": FileSystemStorage}[sys.argv[2]](allow_overwrite=True)
storage.save("logo.png", Killer(b""))
"""


@pytest.mark.parametrize(("storage", "whole"), [("whole", True), ("django", False)])
def test_a_killed_process_leaves_the_file_that_was_there(tmp_path: Path, storage: str, whole: bool) -> None:
    """Django's own storage does not: that is why there is another."""
    (tmp_path / "logo.png").write_bytes(b"the old file, whole")

    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), storage], cwd=Path.cwd(), check=False)

    assert killed.returncode == -signal.SIGKILL
    assert ((tmp_path / "logo.png").read_bytes() == b"the old file, whole") is whole
    assert issubclass(WholeFileStorage, FileSystemStorage)
    assert os.listdir(tmp_path)


def test_a_name_outside_the_folder_is_refused(media: Path) -> None:
    with pytest.raises(Exception, match=r"\.\."):
        default_storage.save("../outside.png", ContentFile(b"x"))


# --- storing in S3


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_s3_gets_the_bytes_their_type_and_an_endless_life(s3: SimpleNamespace, kind: str) -> None:
    file = read_logo(draw(kind))
    key = logo_key("watch_providers", 8, file)

    save_logo_file(key, file)

    stored = s3.client.get_object(Bucket=s3.bucket, Key=key)
    with stored["Body"] as body:
        assert body.read() == file.content
    assert stored["ContentType"] == file.content_type
    assert stored["CacheControl"] == "public, max-age=31536000, immutable"
    assert stored["ETag"] == file.etag


def test_the_headers_are_those_that_a_browser_gets(s3: SimpleNamespace) -> None:
    file = read_logo(draw("WEBP"))
    save_logo_file("images/logos/networks/1/a.webp", file)
    s3.client.put_object_acl(Bucket=s3.bucket, Key="images/logos/networks/1/a.webp", ACL="public-read")

    with urllib.request.urlopen(f"{s3.url}/{s3.bucket}/images/logos/networks/1/a.webp") as reply:  # noqa: S310
        assert reply.read() == file.content
        assert reply.headers["Content-Type"] == "image/webp"
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_saving_the_same_key_again_in_s3_keeps_one_object(s3: SimpleNamespace) -> None:
    file = read_logo(draw())
    key = logo_key("networks", 74, file)

    save_logo_file(key, file)
    save_logo_file(key, file)

    assert [entry["Key"] for entry in s3.client.list_objects_v2(Bucket=s3.bucket)["Contents"]] == [key]


def test_an_address_in_s3_costs_no_request_and_holds_no_signature(s3: SimpleNamespace) -> None:
    url = Network(id=1, name="A", hosted_logo_key="images/logos/networks/1/a.png").hosted_logo_url

    assert url is not None
    assert url.endswith("/images/logos/networks/1/a.png")
    assert "Signature" not in url


# --- an editor's own


@pytest.mark.django_db
def test_an_uploaded_logo_is_stored_and_locked(
    media: Path, make_network: Callable[..., Network], author: Author, caplog: pytest.LogCaptureFixture
) -> None:
    network = make_network(74, tmdb_logo_path="/theirs.png", logo_error="404", hosted_logo_path="/old.png")
    Network.objects.update(name="Renamed by a sync")

    with caplog.at_level("INFO"):
        upload_logo(network, draw("JPEG"), author)

    network.refresh_from_db()
    assert network.logo_locked
    assert (network.hosted_logo_path, network.logo_error) == (None, "")
    assert network.name == "Renamed by a sync"
    assert network.hosted_logo_key is not None
    assert (media / network.hosted_logo_key).read_bytes() == draw("JPEG")
    assert not Network.objects.needing_logo().exists()
    assert "editor uploaded a logo for network 74" in caplog.text


@pytest.mark.django_db
def test_an_unusable_upload_changes_nothing(media: Path, make_network: Callable[..., Network], author: Author) -> None:
    network = make_network(74)

    with pytest.raises(UnusableLogo):
        upload_logo(network, b"<html>", author)

    network.refresh_from_db()
    assert (network.logo_locked, network.hosted_logo_key) == (False, None)
    assert not media.exists()
