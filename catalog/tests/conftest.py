"""What the tests of the catalogue share: a media folder of their own, an editor, and a real S3 server."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import boto3
import pytest
from django.test import Client
from moto.server import ThreadedMotoServer

from catalog.changes import Author
from catalog.models import Network, Show


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """An empty media folder; logos are stored in it as an installation without S3 does."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "catalog.storage.WholeFileStorage", "OPTIONS": {"allow_overwrite": True}}
    }
    return tmp_path / "media"


@pytest.fixture
def editor(django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("editor", password="secret")


@pytest.fixture
def author(editor: Any) -> Author:
    return Author(user=editor)


@pytest.fixture
def desk(client: Client, editor: Any) -> Client:
    """A client that is logged in as the editor."""
    client.force_login(editor)
    return client


@pytest.fixture
def show(db: None) -> Show:
    """A show that has been synced: what stands in it is what upstream says."""
    return Show.objects.create(
        name="Below Deck",
        description="From\nTMDb.",
        tmdb_id=55555,
        imdb_id="tt2342499",
        genres=["Reality"],
        tmdb_fetched_at=datetime(2026, 1, 2, tzinfo=UTC),
        imdb_fetched_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.fixture
def make_network(db: None) -> Callable[..., Network]:
    def make(pk: int, name: str = "Bravo", **columns: Any) -> Network:
        return Network.objects.create(id=pk, name=name, **columns)

    return make


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int | None, list[UUID] | None]]:
    """What the app that syncs was asked for: (user id, show ids), each of which is run 12."""
    requests: list[tuple[int | None, list[UUID] | None]] = []

    def request(user_id: int | None, show_ids: Sequence[UUID] | None) -> int:
        requests.append((user_id, None if show_ids is None else list(show_ids)))
        return 12

    monkeypatch.setattr("catalog.sync_queue.requests", [request])
    return requests


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on this machine."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, settings: Any) -> Iterator[SimpleNamespace]:
    """The default storage is an S3 bucket, set up as settings.py does; `client` reads it behind its back."""
    options = {
        "bucket_name": "trr-logos",
        "region_name": "us-east-1",
        "endpoint_url": s3_server,
        "access_key": "key",
        "secret_key": "secret",
        "object_parameters": {"CacheControl": settings.LOGO_CACHE_CONTROL},
        "querystring_auth": False,
        "file_overwrite": True,
        "default_acl": None,
    }
    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="trr-logos")
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    }
    yield SimpleNamespace(client=client, bucket="trr-logos", url=s3_server)
    for entry in client.list_objects_v2(Bucket="trr-logos").get("Contents", []):
        client.delete_object(Bucket="trr-logos", Key=entry["Key"])
    client.delete_bucket(Bucket="trr-logos")
    client.close()
