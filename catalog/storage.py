"""The local folder of the logos, for an installation without S3."""

import os
import tempfile
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage


class WholeFileStorage(FileSystemStorage):
    """A FileSystemStorage under whose names only whole files are ever seen.

    Django writes into the final name and cuts a present file off first, so a killed process leaves half
    a file there and a reader meanwhile gets one. Here the bytes go to a `.part` file beside it, which is
    flushed and then takes the name in one step; a `.part` file that is left over is nobody's and is
    removed by `prune_logos` like every file that no row names.
    """

    def _save(self, name: str, content: "File[Any]") -> str:
        path = Path(self.path(name))
        descriptor, temporary = part_file(path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(self.file_permissions_mode or 0o644)  # mkstemp makes it private
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return Path(os.path.relpath(path, self.location)).as_posix()


def part_file(folder: Path, tries: int = 10) -> tuple[int, str]:
    """A new `.part` file in `folder`, which is made where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    except (FileNotFoundError, FileExistsError):  # `prune_logos` removed the folder, empty as it was, in between
        if tries == 1:
            raise
        return part_file(folder, tries - 1)
