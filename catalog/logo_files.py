"""The stored files of the logos, in the local folder or in the bucket: what is there, who names it, its deletion.

Both stores do the same. Nothing outside FOLDER is listed or touched.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError
from django.apps import apps
from django.core.files.storage import FileSystemStorage, default_storage

from catalog.logos import FOLDER
from catalog.models import Logo
from trr_site.logs import mask_secrets

AT_ONCE: Final = 1000  # keys of one request: S3 lists and deletes no more


class StorageError(Exception):
    """The folder or the bucket can't be worked with; the message says why, and what to look at."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    key: str
    bytes: int
    modified: float  # seconds since 1970


class LogoStore(Protocol):
    def __str__(self) -> str:
        """What it is and where, as in `the bucket trr`."""

    def files(self) -> Iterator[StoredFile]:
        """Every file under FOLDER. Raises StorageError."""

    def unchanged(self, files: Sequence[StoredFile]) -> list[StoredFile]:
        """Those of `files` that are there as they were listed: neither gone nor stored again. Raises StorageError."""

    def delete(self, files: Sequence[StoredFile]) -> dict[str, str]:
        """Deletes up to AT_ONCE files; by key, why one could not be. Raises StorageError when none could be tried."""

    def remove_empty_folders(self) -> None: ...


def logo_store() -> LogoStore:
    """The store of this installation, as the environment says."""
    if isinstance(default_storage, FileSystemStorage):
        return LocalFolder(Path(default_storage.location))
    return Bucket(default_storage)


class LocalFolder:
    def __init__(self, media: Path) -> None:
        self.media = media
        self.root = media / FOLDER

    def __str__(self) -> str:
        return f"the folder {self.root}"

    def files(self) -> Iterator[StoredFile]:
        for folder, _, names in os.walk(self.root, onerror=self.refuse):
            for name in names:
                path = Path(folder, name)
                if file := self.look_at(path.relative_to(self.media).as_posix()):
                    yield file

    def refuse(self, error: OSError) -> None:
        """A folder that can't be read ends the listing: its files would look as if they were lost."""
        if not isinstance(error, FileNotFoundError):  # never made, or gone meanwhile
            raise StorageError(f"{error.filename} can't be read: {error.strerror} (MEDIA_ROOT)") from None

    def look_at(self, key: str) -> StoredFile | None:
        """The file as it is now; None when it is gone."""
        try:
            state = (self.media / key).lstat()  # of a link itself: what it leads to may be anybody's
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{printable(key)} can't be read: {error.strerror} (MEDIA_ROOT)") from None
        return StoredFile(key, state.st_size, state.st_mtime)

    def unchanged(self, files: Sequence[StoredFile]) -> list[StoredFile]:
        return [file for file in files if self.look_at(file.key) == file]

    def delete(self, files: Sequence[StoredFile]) -> dict[str, str]:
        refused = {}
        for key in keys_of(files):
            try:
                (self.media / key).unlink(missing_ok=True)
            except OSError as error:
                refused[key] = error.strerror or type(error).__name__
        return refused

    def remove_empty_folders(self) -> None:
        """All of them, so that those of a run that was killed go too; who stores just then makes them anew."""
        gone: set[str] = set()
        for folder, inner, names in os.walk(self.root, topdown=False):
            if (
                not names
                and gone.issuperset(os.path.join(folder, name) for name in inner)
                and Path(folder) != self.root
            ):
                with suppress(OSError):  # something was stored in it just now
                    Path(folder).rmdir()
                    gone.add(folder)


class Bucket:
    def __init__(self, storage: Any) -> None:
        self.storage = storage
        self.name: str = storage.bucket_name

    def __str__(self) -> str:
        return f"the bucket {self.name}"

    def files(self) -> Iterator[StoredFile]:
        for page in self.pages(Prefix=FOLDER):
            yield from page

    def unchanged(self, files: Sequence[StoredFile]) -> list[StoredFile]:
        """Lists that part of the bucket again: many cost as few requests as can be, and no key costs one of its own."""
        if not files:
            return []
        keys = [file.key for file in files]
        first, last = min(keys), max(keys)
        found: set[StoredFile] = set()
        # A key without its last letter comes before it, and StartAfter leaves out what it names.
        for page in self.pages(Prefix=FOLDER, StartAfter=first[:-1]):
            found.update(page)
            if page and page[-1].key >= last:
                break
        return [file for file in files if file in found]

    def pages(self, **where: str) -> Iterator[list[StoredFile]]:
        with self.in_words("listed"):
            pages = self.storage.connection.meta.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, **where):
                yield [
                    StoredFile(entry["Key"], entry["Size"], entry["LastModified"].timestamp())
                    for entry in page.get("Contents", ())
                    # One that ends with a slash is a console's picture of a folder, and no file.
                    if entry["Key"].startswith(FOLDER) and not entry["Key"].endswith("/")
                ]

    def delete(self, files: Sequence[StoredFile]) -> dict[str, str]:
        keys = list(keys_of(files))
        # One that can't stand in XML would have the whole request refused.
        refused = {key: "its name has a control character" for key in keys if not key.isprintable()}
        objects = [{"Key": key} for key in keys if key not in refused]
        if not objects:
            return refused
        with self.in_words("deleted from"):
            answer = self.storage.connection.meta.client.delete_objects(
                Bucket=self.name, Delete={"Objects": objects, "Quiet": True}
            )
        return refused | {
            error["Key"]: mask_secrets(f"{error.get('Code')}: {error.get('Message')}")
            for error in answer.get("Errors", ())
        }

    def remove_empty_folders(self) -> None:
        """A bucket has none."""

    @contextmanager
    def in_words(self, verb: str) -> Iterator[None]:
        """Turns boto's many exceptions, which quote addresses, into one that can be shown."""
        try:
            yield
        except ClientError as error:
            told = error.response.get("Error", {})
            reason = mask_secrets(f"{told.get('Code')}: {told.get('Message')}")
        except (ConnectionError, HTTPClientError) as error:
            reason = f"no connection ({type(error).__name__})"
        except (BotoCoreError, ValueError) as error:  # ValueError: an address that is none
            reason = type(error).__name__ if "://" in str(error) else mask_secrets(str(error))
        else:
            return
        raise StorageError(
            f"{self} can't be {verb}: {reason} (AWS_S3_BUCKET, AWS_REGION, AWS_S3_ENDPOINT_URL, the keys, and "
            "what they allow: deploy/s3-policy.json)"
        )


def keys_of(files: Iterable[StoredFile]) -> list[str]:
    """The keys, for deletion: all of them under FOLDER, or none."""
    keys = [file.key for file in files]
    if outside := [key for key in keys if not key.startswith(FOLDER)]:
        raise ValueError(f"{outside[0]!r} is not under {FOLDER}")
    return keys


def named_keys() -> dict[str, datetime | None]:
    """Every key that any row names, and when its file was stored."""
    return {
        key: stored_at
        for model in logo_models()
        for key, stored_at in model._base_manager.exclude(hosted_logo_key=None)
        .values_list("hosted_logo_key", "hosted_logo_at")
        .iterator(chunk_size=10 * AT_ONCE)
        if key
    }


def named_among(keys: Iterable[str]) -> set[str]:
    """Those of up to AT_ONCE keys that a row names at this moment."""
    # A file's name may be no text at all. No row can name it then, and no database can be asked.
    asked = [key for key in keys if key.isprintable()]
    return {
        key
        for model in logo_models()
        for key in model._base_manager.filter(hosted_logo_key__in=asked).values_list("hosted_logo_key", flat=True)
        if key
    }


def logo_models() -> list[type[Logo]]:
    """All of them, whoever adds one: the files of a kind that is left out here would be deleted."""
    return [model for model in apps.get_models() if issubclass(model, Logo)]


def printable(key: str) -> str:
    """A key as it can be shown and kept: a file may be called anything."""
    return key if key.isprintable() else key.encode("unicode_escape").decode()
