"""The two stores of logos, filled with files of any age: a media folder, and a bucket on a real S3 server."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from django.core.files.storage import default_storage
from moto.s3.models import S3Backend, s3_backends
from moto.server import ThreadedMotoServer

BUCKET = "trr-files"


class FolderStore:
    def __init__(self, media: Path) -> None:
        self.media = media
        self.place = f"the folder {media}/images/logos"

    def put(self, key: str, content: bytes = b"a logo", *, days: float = 30) -> None:
        path = self.media / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - days * 86_400,) * 2)

    def stored(self) -> set[str]:
        return {path.relative_to(self.media).as_posix() for path in self.media.rglob("*") if path.is_file()}


class BucketStore:
    """Objects are put into the server's memory: over HTTP, 5,000 of them would take their time, and all be new."""

    place = f"the bucket {BUCKET}"

    def __init__(self, url: str) -> None:
        self.url = url
        self.backend: S3Backend = s3_backends["123456789012"]["aws"]
        self.backend.create_bucket(BUCKET, "us-east-1")
        self.calls: list[tuple[str, dict[str, Any]]] = []  # operation and parameters of what our own code asks for

    def put(self, key: str, content: bytes = b"a logo", *, days: float = 30) -> None:
        stored = self.backend.put_object(BUCKET, key, content, disable_notification=True)
        stored.last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)

    def stored(self) -> set[str]:
        return set(self.backend.get_bucket(BUCKET).keys)

    def note(self, params: dict[str, Any], model: Any, **kwargs: Any) -> None:
        self.calls.append((model.name, params))

    def keep(self, key: str) -> None:
        """Lets the bucket refuse to delete an object."""
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject"}
        policy = {"Version": "2012-10-17", "Statement": [deny | {"Resource": f"arn:aws:s3:::{BUCKET}/{key}"}]}
        client = boto3.client("s3", **options_of(self.url, "aws_access_key_id", "aws_secret_access_key"))
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        client.close()

    def remove(self) -> None:
        self.backend.get_bucket(BUCKET).keys.clear()
        self.backend.delete_bucket(BUCKET)


Store = FolderStore | BucketStore


def options_of(url: str, id_name: str, secret_name: str) -> dict[str, Any]:
    return {"region_name": "us-east-1", "endpoint_url": url, id_name: "key", secret_name: "secret"}


def s3_storage(url: str, settings: Any) -> dict[str, Any]:
    """A bucket as the default storage, as settings.py sets it up, but that a lost connection is not tried again."""
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": options_of(url, "access_key", "secret_key")
        | {
            "bucket_name": BUCKET,
            "object_parameters": {"CacheControl": settings.LOGO_CACHE_CONTROL},
            "querystring_auth": False,
            "file_overwrite": True,
            "default_acl": None,
            "client_config": Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        },
    }


@contextmanager
def folder_store(settings: Any, media: Path) -> Iterator[FolderStore]:
    settings.MEDIA_ROOT = media
    yield FolderStore(media)


@contextmanager
def bucket_store(settings: Any) -> Iterator[BucketStore]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    store = BucketStore(f"http://{host}:{port}")
    settings.STORAGES = settings.STORAGES | {"default": s3_storage(store.url, settings)}
    client = default_storage.connection.meta.client  # type: ignore[attr-defined]
    client.meta.events.register("before-parameter-build.s3", store.note)
    try:
        yield store
    finally:
        client.close()
        server.stop()
        store.backend.reset()
