"""A backup as a file: a zip with the database's own dump and a manifest that says what must be in it.

The file has its name only when it is whole and on the disk; until then its name ends with `.part`.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Final

from django.utils import timezone

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
BLOCK: Final = 1024 * 1024  # bytes
UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError)


class Refused(Exception):
    """Nothing was tried, and nothing touched: the reason says what to do."""


class Failed(Exception):
    """It was begun and did not come to a good end."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a dump holds, read from the very state that is in it. `schema`: PostgreSQL's, where the tables are."""

    server: str
    schema: str
    migrations: list[list[str]]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class Manifest(Contents):
    format: int
    engine: str
    made_at: str
    code_version: str
    dump_name: str
    dump_bytes: int
    dump_sha256: str

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    def __str__(self) -> str:
        by = f" by the code {self.code_version}" if self.code_version else ""
        return f"{self.engine} {self.server}, made {self.made_at}{by}, {len(self.rows)} tables, {self.total} rows"


def check_new(path: Path) -> None:
    """Raises Refused where no new file can be made; no backup is ever overwritten."""
    if path.exists() or path.is_symlink():
        raise Refused(f"{path} is there already and is never overwritten: name another file")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise Refused(f"{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"{folder} can't be written to")


def save_backup(
    path: Path, engine: str, code_version: str, dump_name: str, dump: Callable[[Any], Contents]
) -> Manifest:
    """Writes what `dump` gives to the file that it is handed, and the manifest behind it."""
    with part_of(path) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            made_at = timezone.now()
            # What is written to it is compressed on the way, so its size need not be known before.
            with archive.open(dump_name, "w", force_zip64=True) as file:
                hashed = HashedFile(file)
                contents = dump(hashed)
            manifest = Manifest(
                **asdict(contents),
                format=FORMAT,
                engine=engine,
                made_at=made_at.isoformat(sep=" ", timespec="seconds"),
                code_version=code_version,
                dump_name=dump_name,
                dump_bytes=hashed.size,
                dump_sha256=hashed.sha256.hexdigest(),
            )
            archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
        publish(part, path)
    return manifest


class HashedFile:
    """A file to write to, which keeps the sum of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.size, self.sha256 = file, 0, hashlib.sha256()

    def write(self, block: bytes) -> int:
        self.size += len(block)
        self.sha256.update(block)
        return self.file.write(block)


@contextmanager
def part_of(path: Path) -> Iterator[Path]:
    """A new file beside `path`, for its owner alone, which is gone after the block unless it got another name."""
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    os.close(descriptor)
    part = Path(name)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def publish(part: Path, path: Path) -> None:
    """Gives the finished file its name, when it is on the disk."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(part, path)  # never replaces what has come there meanwhile, as a rename would
    except FileExistsError:
        raise Failed(f"{path} was made by somebody else meanwhile, and is never overwritten") from None
    except OSError:  # a file system without hard links
        check_new(path)
        part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # not every network file system can
            os.fsync(folder)
    finally:
        os.close(folder)


class Backup:
    """A backup that is open to be read, and was found whole."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.archive, self.manifest = archive, manifest

    def dump(self) -> IO[bytes]:
        return self.archive.open(self.manifest.dump_name)


@contextmanager
def opened_backup(path: Path) -> Iterator[Backup]:
    """Raises Refused for what is not a backup, or not a whole one."""
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise Refused(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except (OSError, *UNREADABLE):
            raise Refused(f"{path} is not a backup, or a damaged or cut one") from None
        with archive:
            yield Backup(archive, checked_manifest(archive, path))


def checked_manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        manifest = parse_manifest(archive.read(MANIFEST))
        with archive.open(manifest.dump_name) as dump:
            size, sha256 = 0, hashlib.sha256()
            while block := dump.read(BLOCK):
                size += len(block)
                sha256.update(block)
    except (OSError, *UNREADABLE) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise Refused(f"{path} is damaged: {reason}") from None
    if (size, sha256.hexdigest()) != (manifest.dump_bytes, manifest.dump_sha256):
        raise Refused(f"{path} is damaged: its dump is not the one that the manifest was written for")
    return manifest


def parse_manifest(text: bytes) -> Manifest:
    """Raises ValueError for what is none, and Refused for one of a later format."""
    values = json.loads(text)
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise ValueError(f"{MANIFEST} is not one")
    if values["format"] != FORMAT:
        raise Refused(f"the backup has the format {values['format']}, and this code knows {FORMAT}: use newer code")
    expected = {field.name: field.type for field in fields(Manifest)}
    plain = {name: kind for name, kind in expected.items() if kind in (str, int)}
    rows, migrations = values.get("rows"), values.get("migrations")
    if (
        set(values) != set(expected)
        or not all(isinstance(values[name], kind) for name, kind in plain.items())
        or not (isinstance(rows, dict) and all(isinstance(count, int) for count in rows.values()))
        or not (isinstance(migrations, list) and all(is_migration(one) for one in migrations))
    ):
        raise ValueError(f"{MANIFEST} is not one")
    return Manifest(**values)


def is_migration(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)
