import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.core.files.storage import default_storage
from moto.server import ThreadedMotoServer

from catalog.changes import Author
from catalog.logos import upload_logo
from catalog.models import Network, ProductionCompany, WatchProvider
from catalog.storage import WholeFileStorage
from catalog.tests.pictures import draw
from demo.upstream import Reply, Upstream
from ingestion.logos import LogoJob, LogoResult, logo_job, mirror_logo, pending_logos, save_logos
from ingestion.sources.http import Stopped
from ingestion.sources.tmdb import TmdbClient

pytestmark = pytest.mark.django_db
PICTURE, OTHER = draw(colour=1), draw(colour=2)
ORIGINAL = "/t/p/original"


def pending_jobs() -> list[LogoJob]:
    return [logo_job(entity) for entity in pending_logos()]


@pytest.fixture
def client(upstream: Upstream) -> Iterator[TmdbClient]:
    upstream.images["/bravo.png"] = PICTURE
    tmdb = TmdbClient()
    yield tmdb
    tmdb.close()


@pytest.fixture
def bravo(db: None) -> Network:
    return Network.objects.create(id=74, name="Bravo", tmdb_logo_path="/bravo.png")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were written to the storage, in order."""
    keys: list[str] = []
    really_save = WholeFileStorage._save

    def noted(self: WholeFileStorage, name: str, content: Any) -> str:
        keys.append(name)
        return really_save(self, name, content)

    monkeypatch.setattr(WholeFileStorage, "_save", noted)
    return keys


def key_of(content: bytes, extension: str = "png") -> str:
    return f"images/logos/networks/74/{hashlib.sha256(content).hexdigest()}.{extension}"


def mirror(client: TmdbClient, network: Network) -> LogoResult:
    network.refresh_from_db()
    result = mirror_logo(client, logo_job(network))
    save_logos([result])
    network.refresh_from_db()
    return result


def files(settings: Any) -> set[str]:
    root = Path(settings.MEDIA_ROOT)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


# --- mirrored once


def test_a_logo_is_stored_under_its_hash_and_named_by_its_row(
    client: TmdbClient, upstream: Upstream, bravo: Network, settings: Any
) -> None:
    result = mirror(client, bravo)

    assert result.error == ""
    assert files(settings) == {key_of(PICTURE)}
    with default_storage.open(key_of(PICTURE)) as file:
        assert file.read() == PICTURE
    assert (bravo.hosted_logo_key, bravo.hosted_logo_path) == (key_of(PICTURE), "/bravo.png")
    assert (bravo.hosted_logo_content_type, bravo.hosted_logo_bytes) == ("image/png", len(PICTURE))
    assert bravo.hosted_logo_sha256 == hashlib.sha256(PICTURE).hexdigest()
    assert bravo.hosted_logo_url == f"/media/{key_of(PICTURE)}"
    assert [request.path for request in upstream.requests] == [f"{ORIGINAL}/bravo.png"]


def test_a_mirrored_logo_is_not_pending(client: TmdbClient, bravo: Network) -> None:
    before = pending_jobs()

    mirror(client, bravo)

    assert before == [LogoJob(Network, 74, "Bravo", "/bravo.png", None)]
    assert pending_jobs() == []
    assert not bravo.needs_logo


def test_every_kind_of_entity_is_pending_until_it_is_mirrored(client: TmdbClient, bravo: Network) -> None:
    ProductionCompany.objects.create(id=74, name="Evolution", tmdb_logo_path="/bravo.png")
    ProductionCompany.objects.create(id=75, name="No logo")
    WatchProvider.objects.create(provider_id=74, provider_name="Bravo Now", tmdb_logo_path="/bravo.png")
    Network.objects.create(id=1, name="An editor's", tmdb_logo_path="/x.png", logo_locked=True)

    results = [mirror_logo(client, job) for job in pending_jobs()]
    save_logos(results)

    keys = {result.columns["hosted_logo_key"].split("/")[2] for result in results}
    assert keys == {"networks", "production_companies", "watch_providers"}
    assert pending_jobs() == []


def test_another_path_makes_another_key_and_the_old_file_stays(
    client: TmdbClient, upstream: Upstream, bravo: Network, settings: Any
) -> None:
    mirror(client, bravo)
    upstream.images["/new.png"] = OTHER
    Network.objects.update(tmdb_logo_path="/new.png")

    mirror(client, bravo)

    assert (bravo.hosted_logo_key, bravo.hosted_logo_path) == (key_of(OTHER), "/new.png")
    assert files(settings) == {key_of(PICTURE), key_of(OTHER)}


def test_the_same_bytes_are_not_stored_again(
    client: TmdbClient, upstream: Upstream, bravo: Network, stored: list[str]
) -> None:
    mirror(client, bravo)
    upstream.images["/new.png"] = PICTURE
    Network.objects.update(tmdb_logo_path="/new.png")

    mirror(client, bravo)

    assert stored == [key_of(PICTURE)]
    assert (bravo.hosted_logo_key, bravo.hosted_logo_path) == (key_of(PICTURE), "/new.png")
    assert pending_jobs() == []


def test_a_logo_is_what_its_bytes_are(client: TmdbClient, upstream: Upstream, bravo: Network) -> None:
    jpeg = draw("JPEG")
    upstream.images["/bravo.png"] = jpeg

    mirror(client, bravo)

    assert (bravo.hosted_logo_key, bravo.hosted_logo_content_type) == (key_of(jpeg, "jpg"), "image/jpeg")


def test_an_svg_is_asked_for_as_png(client: TmdbClient, upstream: Upstream, bravo: Network) -> None:
    Network.objects.update(tmdb_logo_path="/bravo.svg")

    mirror(client, bravo)

    assert [request.path for request in upstream.requests] == [f"{ORIGINAL}/bravo.png"]
    assert (bravo.hosted_logo_key, bravo.hosted_logo_path) == (key_of(PICTURE), "/bravo.svg")


# --- what is refused

REFUSED = {
    "HTML": (Reply(200, b"<!doctype html><html>", {"content-type": "image/png"}), "but HTML"),
    "an SVG": (Reply(200, b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"content-type": "image/png"}), "but SVG"),
    "nothing": (Reply(200, b""), "the file is empty"),
    "too much": (Reply(200, b"\x89PNG" + bytes(5 * 1024 * 1024)), "larger than"),
    "half an image": (Reply(200, PICTURE[: len(PICTURE) // 2]), "broken image"),
    "a missing one": (Reply(404), "HTTP 404"),
    "a forbidden one": (Reply(403, b"no"), "HTTP 403"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_image_is_not_stored_and_why_is_kept(
    case: str, client: TmdbClient, upstream: Upstream, bravo: Network, stored: list[str]
) -> None:
    reply, reason = REFUSED[case]
    upstream.always(f"{ORIGINAL}/bravo.png", reply)

    result = mirror(client, bravo)

    assert reason in result.error
    assert result.item == "logo of network Bravo (74)"
    assert (bravo.logo_error, bravo.hosted_logo_key) == (result.error, None)
    assert stored == []
    assert [job.pk for job in pending_jobs()] == [74]  # the next run tries again


def test_a_logo_that_fails_keeps_the_old_one_until_another_succeeds(
    client: TmdbClient, upstream: Upstream, bravo: Network
) -> None:
    mirror(client, bravo)
    Network.objects.update(tmdb_logo_path="/new.png")

    mirror(client, bravo)
    failed = (bravo.hosted_logo_key, bravo.hosted_logo_path, bravo.logo_error)
    upstream.images["/new.png"] = OTHER
    mirror(client, bravo)

    assert failed[:2] == (key_of(PICTURE), "/bravo.png")
    assert failed[2].startswith("HTTP 404")
    assert (bravo.hosted_logo_key, bravo.logo_error) == (key_of(OTHER), "")


def test_a_storage_that_fails_is_a_reason_not_a_crash(
    client: TmdbClient, bravo: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: WholeFileStorage, name: str, content: Any) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr(WholeFileStorage, "_save", full)

    mirror(client, bravo)

    assert bravo.logo_error == "it could not be stored: OSError: no space left on device"
    assert bravo.hosted_logo_key is None


def test_a_run_that_was_told_to_stop_keeps_no_error(client: TmdbClient, bravo: Network) -> None:
    client.images.stop.set()

    with pytest.raises(Stopped):
        mirror_logo(client, logo_job(bravo))


# --- whose logo it is


def test_an_editors_upload_meanwhile_is_not_overwritten(client: TmdbClient, bravo: Network) -> None:
    result = mirror_logo(client, logo_job(bravo))
    upload_logo(bravo, OTHER, Author())

    save_logos([result])

    bravo.refresh_from_db()
    assert (bravo.hosted_logo_key, bravo.hosted_logo_path, bravo.logo_locked) == (key_of(OTHER), None, True)
    assert pending_jobs() == []


def test_a_path_that_changed_meanwhile_stays_to_be_mirrored(client: TmdbClient, bravo: Network) -> None:
    result = mirror_logo(client, logo_job(bravo))
    Network.objects.update(tmdb_logo_path="/new.png")

    save_logos([result])

    assert [job.path for job in pending_jobs()] == ["/new.png"]


def test_one_bad_logo_costs_no_other_one(client: TmdbClient, bravo: Network) -> None:
    Network.objects.create(id=49, name="HBO", tmdb_logo_path="/missing.png")

    save_logos([mirror_logo(client, job) for job in pending_jobs()])

    assert {row.name: bool(row.logo_error) for row in Network.objects.all()} == {"Bravo": False, "HBO": True}


# --- whom it is asked of


def test_a_redirect_to_another_host_is_not_followed(client: TmdbClient, upstream: Upstream, bravo: Network) -> None:
    with Upstream(shows={}) as elsewhere:
        elsewhere.images["/bravo.png"] = PICTURE
        target = f"{elsewhere.image_url}/original/bravo.png"
        upstream.always(f"{ORIGINAL}/bravo.png", Reply(302, b"", {"location": target}))

        mirror(client, bravo)

        assert elsewhere.requests == []
    assert bravo.logo_error.startswith("HTTP 302")
    assert bravo.hosted_logo_key is None


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example/x.png",
        "@evil.example/x.png",
        ".evil.example/x.png",
        ":80@evil.example/x.png",
        "https://evil.example/x.png",
        "/../../../x.png",
        "\\\\evil.example\\x.png",
        "/x.png?next=https://evil.example/",
        "/x.png#@evil.example/",
    ],
)
def test_a_logo_is_asked_of_the_image_host_alone(client: TmdbClient, upstream: Upstream, path: str) -> None:
    job = LogoJob(Network, 74, "Bravo", path, None)

    result = mirror_logo(client, job)

    # Any other host would be refused by pytest-socket, and this one answer what it does not have with 404.
    assert result.error.startswith("HTTP 404")
    assert len(upstream.requests) == 1
    assert "evil" not in upstream.requests[0].headers["host"]


# --- S3


@pytest.fixture
def s3(settings: Any) -> Iterator[Any]:
    """A bucket on a real S3 server as the default storage, with settings.py's options; a client to look into it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    access = {"region_name": "us-east-1", "endpoint_url": f"http://{host}:{port}"}
    reader = boto3.client("s3", **access, aws_access_key_id="key", aws_secret_access_key="secret")
    reader.create_bucket(Bucket="trr")
    options = access | {
        "bucket_name": "trr",
        "access_key": "key",
        "secret_key": "secret",
        "object_parameters": {"CacheControl": settings.LOGO_CACHE_CONTROL},
        "querystring_auth": False,
        "file_overwrite": True,
        "default_acl": None,
    }
    default = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": default}
    yield reader
    default_storage.connection.meta.client.close()
    reader.close()
    server.stop()


def test_a_logo_is_read_back_from_s3_byte_for_byte(client: TmdbClient, s3: Any, bravo: Network) -> None:
    result = mirror(client, bravo)

    assert result.error == ""
    found = s3.get_object(Bucket="trr", Key=bravo.hosted_logo_key)
    with found["Body"] as body:
        assert body.read() == PICTURE
    assert (found["ContentType"], found["CacheControl"]) == ("image/png", "public, max-age=31536000, immutable")
    assert found["ETag"] == bravo.hosted_logo_etag
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="trr")["Contents"]] == [key_of(PICTURE)]
