"""A contact sheet: the photos that were found, in rows, with their rank, their score and their name."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.types import Match

COLUMNS, CELL, LINE, MARGIN = 5, 220, 20, 8
"""Photos a row; then pixels: side of a photo's square, height of a line of text, space around each."""


def contact_sheet(matches: Sequence[Match], title: str) -> Image.Image:
    """An RGB picture of the matches, the best first, under the title; each photo whole, in a square of its own."""
    rows = -(-len(matches) // COLUMNS)
    columns = min(COLUMNS, len(matches))
    step = CELL + 2 * MARGIN
    sheet = Image.new("RGB", (columns * step, LINE + 2 * MARGIN + rows * (step + LINE)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=LINE - 6)
    draw.text((MARGIN, MARGIN), shortened(draw, title, font, sheet.width - 2 * MARGIN), "black", font)
    for place, match in enumerate(matches):
        row, column = divmod(place, COLUMNS)
        left, top = column * step + MARGIN, LINE + 2 * MARGIN + row * (step + LINE)
        photo = ImageOps.contain(as_photo(match.photo), (CELL, CELL), Image.Resampling.LANCZOS)
        sheet.paste(photo, (left + (CELL - photo.width) // 2, top + (CELL - photo.height) // 2))
        name = f"{place + 1}  {match.score:.3f}  {Path(match.photo).name}"
        draw.text((left, top + CELL + 2), shortened(draw, name, font, CELL), "black", font)
    return sheet


def shortened(draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, its end replaced by an ellipsis where it would be wider than `width` pixels."""
    text = text.encode("utf-8", "replace").decode()  # a file name need not be text
    if draw.textlength(text, font) <= width:
        return text
    while text and draw.textlength(f"{text}…", font) > width:
        text = text[:-1]
    return f"{text}…"
