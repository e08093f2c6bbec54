"""From the bytes of a logo to a stored file and the columns that name it."""

import hashlib
import logging
import warnings
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone
from PIL import Image, UnidentifiedImageError

from catalog.changes import Author
from catalog.models import Logo, Network, ProductionCompany, WatchProvider

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 5 * 1024 * 1024
MAX_PIXELS: Final = 25_000_000  # 100 MB when decoded
FORMATS: Final = {  # Pillow's name: extension, content type
    "PNG": ("png", "image/png"),
    "JPEG": ("jpg", "image/jpeg"),
    "WEBP": ("webp", "image/webp"),
    "GIF": ("gif", "image/gif"),
}
ENDS: Final = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9", "GIF": b"\x00;"}  # a WEBP says its length
END_WITHIN: Final = 1024  # bytes; some programs write a little behind the end
CONTENT_TYPES: Final = {f".{extension}": content_type for extension, content_type in FORMATS.values()}
FOLDER: Final = "images/logos/"
COLUMNS: Final = (
    "hosted_logo_key",
    "hosted_logo_sha256",
    "hosted_logo_content_type",
    "hosted_logo_bytes",
    "hosted_logo_etag",
    "hosted_logo_at",
    "hosted_logo_path",
    "logo_error",
)

# Pillow's own guard, for the whole process and as an error: to catch warnings around a call would not
# be thread safe, and logos are read in threads.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


class UnusableLogo(ValueError):
    """Bytes that are not stored as a logo; the message is the reason."""


@dataclass(frozen=True, slots=True)
class LogoFile:
    """A logo that has been read: what it is by its bytes, and the names that its bytes have."""

    content: bytes
    content_type: str
    extension: str
    sha256: str
    etag: str  # in quotes, as S3 gives it for a plain put


def read_logo(content: bytes) -> LogoFile:
    """What `content` is, whatever it was called. Raises UnusableLogo with the reason. Thread safe."""
    if not content:
        raise UnusableLogo("the file is empty")
    if len(content) > MAX_BYTES:
        raise UnusableLogo(f"{len(content)} bytes are more than {MAX_BYTES // 1024 // 1024} MB")
    extension, content_type = FORMATS[image_format(content)]
    return LogoFile(
        content=content,
        content_type=content_type,
        extension=extension,
        sha256=hashlib.sha256(content).hexdigest(),
        etag=f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
    )


def image_format(content: bytes) -> str:
    """Pillow's name of the format, after the picture was decoded to its end. Raises UnusableLogo."""
    try:
        with Image.open(BytesIO(content), formats=tuple(FORMATS)) as image:
            found, (width, height) = str(image.format), image.size
            if width * height > MAX_PIXELS:  # known from the header: nothing is decoded yet
                raise UnusableLogo(f"{width} x {height} is more than {MAX_PIXELS // 1_000_000} million pixels")
            image.verify()  # the checksums of a PNG
        with Image.open(BytesIO(content), formats=tuple(FORMATS)) as image:
            image.load()  # verify() does not see where a JPEG, WEBP or GIF is cut off
    except UnusableLogo:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnusableLogo(f"it is more than {MAX_PIXELS // 1_000_000} million pixels") from None
    except UnidentifiedImageError:
        raise UnusableLogo(f"not a PNG, JPEG, WEBP or GIF image, but {guess(content)}") from None
    except Exception as error:  # noqa: BLE001 - on hostile bytes Pillow raises nearly anything
        raise UnusableLogo(f"a broken image: {str(error) or type(error).__name__}"[:200]) from None
    # A cut in a later frame, or in the very last bytes, is decoded without a complaint.
    if found in ENDS and ENDS[found] not in content[-END_WITHIN:]:
        raise UnusableLogo("a broken image: its end is missing")
    return found


def guess(content: bytes) -> str:
    """What refused bytes look like, for the reason alone."""
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    if start.startswith((b"{", b"[")):
        return "JSON"
    return "something else"


def logo_folder(model: type[Logo] | Logo) -> str:
    """The folder of a kind of entity, like `networks`."""
    for kind, folder in (
        (Network, "networks"),
        (ProductionCompany, "production_companies"),
        (WatchProvider, "watch_providers"),
    ):
        if (model if isinstance(model, type) else type(model)) is kind:
            return folder
    raise TypeError(f"{model!r} has no logos")


def logo_key(kind_folder: str, pk: int, file: LogoFile) -> str:
    """Where a logo is stored: the same bytes of the same entity always have the same key."""
    return f"{FOLDER}{kind_folder}/{pk}/{file.sha256}.{file.extension}"


def save_logo_file(key: str, file: LogoFile) -> None:
    """Stores the bytes under `key`, over a present file; errors of the storage come through."""
    content = ContentFile(file.content, name=key)
    content.content_type = file.content_type  # type: ignore[attr-defined]  # django-storages sends it to S3
    stored = default_storage.save(key, content)
    if stored != key:
        default_storage.delete(stored)
        raise RuntimeError(f"the storage took {stored} for {key}: it must be one that overwrites")


def hosted_columns(key: str, file: LogoFile, path: str | None, now: datetime) -> dict[str, Any]:
    """The columns of an entity whose logo was stored; `path` is upstream's, None for an editor's own."""
    return {
        "hosted_logo_key": key,
        "hosted_logo_sha256": file.sha256,
        "hosted_logo_content_type": file.content_type,
        "hosted_logo_bytes": len(file.content),
        "hosted_logo_etag": file.etag,
        "hosted_logo_at": now,
        "hosted_logo_path": path,
        "logo_error": "",
    }


def upload_logo(entity: Logo, content: bytes, author: Author) -> None:
    """Gives an entity an editor's own logo, which no sync replaces. Raises UnusableLogo; then nothing is stored."""
    file = read_logo(content)
    key = logo_key(logo_folder(entity), entity.pk, file)
    save_logo_file(key, file)  # first: a row never names a file that is not there
    for name, value in hosted_columns(key, file, None, timezone.now()).items():
        setattr(entity, name, value)
    entity.logo_locked = True
    entity.save(update_fields=[*COLUMNS, "logo_locked"])
    logger.info("%s uploaded a logo for %s %s", author.user or "nobody", entity._meta.verbose_name, entity.pk)
