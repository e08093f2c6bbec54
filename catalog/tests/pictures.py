"""Small pictures drawn for the tests."""

import random
import struct
import zlib
from io import BytesIO

from PIL import Image


def draw(kind: str = "PNG", size: tuple[int, int] = (40, 20), colour: int = 1) -> bytes:
    """A picture that does not compress to nothing, so that a cut goes through its data."""
    noise = random.Random(colour)
    image = Image.frombytes("RGB", size, noise.randbytes(size[0] * size[1] * 3))
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is that large and has hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\x00" * 99))
        + chunk(b"IEND", b"")
    )


def gif_of_size(width: int, height: int) -> bytes:
    """A GIF of one pixel whose frame says it is that large."""
    return (
        b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff"
        + b","
        + struct.pack("<HHHHB", 0, 0, width, height, 0)
        + b"\x02\x02D\x01\x00;"
    )
