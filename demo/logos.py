"""Logos and posters drawn by code: a name in white on a colour of its own. No font file, no real trade mark."""

import colorsys
import io
import textwrap
import zlib
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

SIZE = (320, 180)  # pixels
POSTER_SIZE = (342, 513)
MARGIN = 22
LARGEST_LETTER, SMALLEST_LETTER = 72, 16


@lru_cache(maxsize=1024)
def draw_logo(text: str, seed: str | int) -> bytes:
    """A PNG of 320 x 180 pixels. The same text and seed give the same bytes."""
    hue = zlib.crc32(str(seed).encode()) % 360 / 360
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    frame = (0, 0, SIZE[0] - 1, SIZE[1] - 1)
    draw.rounded_rectangle(frame, radius=28, fill=_colour(hue, 0.36))
    bar = (MARGIN, SIZE[1] - 30, SIZE[0] - MARGIN, SIZE[1] - 22)
    draw.rounded_rectangle(bar, radius=4, fill=_colour(hue + 0.08, 0.6))
    lines, font = _fit(draw, " ".join(text.split()) or "?", SIZE)
    centre = (SIZE[0] / 2, (SIZE[1] - 16) / 2)
    draw.multiline_text(centre, lines, font=font, fill="white", anchor="mm", align="center", spacing=6)
    return _png(image)


@lru_cache(maxsize=1024)
def draw_poster(text: str, seed: str | int) -> bytes:
    """A PNG of 342 x 513 pixels: night over a skyline, as every reality show has it."""
    hue = zlib.crc32(str(seed).encode()) % 360 / 360
    width, height = POSTER_SIZE
    image = Image.new("RGB", POSTER_SIZE)
    draw = ImageDraw.Draw(image)
    for y in range(height):
        draw.line((0, y, width, y), fill=_colour(hue, 0.14 + 0.3 * y / height))
    for number in range(9):
        tower = 60 + zlib.crc32(f"{seed} {number}".encode()) % 120
        left = number * width // 9
        draw.rectangle((left, height - tower, left + width // 9 - 6, height), fill=_colour(hue + 0.06, 0.1))
    lines, font = _fit(draw, " ".join(text.split()) or "?", (width, height // 2))
    centre = (width / 2, height * 0.36)
    draw.multiline_text(centre, lines, font=font, fill="white", anchor="mm", align="center", spacing=6)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _colour(hue: float, lightness: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue % 1, lightness, 0.55)
    return round(red * 255), round(green * 255), round(blue * 255)


def _fit(
    draw: ImageDraw.ImageDraw, text: str, frame: tuple[int, int]
) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """The text broken into lines, with the largest letters that keep it inside the margins."""
    width, height = frame[0] - 2 * MARGIN, frame[1] - 2 * MARGIN - 16
    longest = max(len(word) for word in text.split())
    lines = textwrap.fill(text, max(longest, 11), break_long_words=False)
    for size in range(LARGEST_LETTER, SMALLEST_LETTER, -2):
        font = ImageFont.load_default(size)
        left, top, right, bottom = draw.multiline_textbbox((0, 0), lines, font=font, spacing=6)
        if right - left <= width and bottom - top <= height:
            return lines, font
    return textwrap.shorten(text, 24, placeholder="..."), ImageFont.load_default(SMALLEST_LETTER)


def content_type(body: bytes) -> str:
    """What an image is, by its bytes."""
    starts = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
    for start, kind in starts.items():
        if body.startswith(start):
            return kind
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if b"<svg" in body[:500] else "application/octet-stream"
