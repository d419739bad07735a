"""A strip of pictures: the photo, then for each word the photo with the word's evidence laid over it.

Notable: each word has a scale of its own, from its mean over the photo to its strongest cell, so a strip says where,
not how much: windows overlap, so every cell has a share of every other's evidence. Evidence against a word (below 0)
is never shown. The photo is dimmed where there is none, so colour vision is not needed.

w words   h rows of cells   c columns of cells
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from mm_memgpt.explain.content import is_content
from mm_memgpt.explain.evidence import Evidence

SIDE, LINE, MARGIN = 220, 26, 6
"""Pixels: longest side of a picture, height of a line of text, space around each."""
HEAT = (255, 150, 30)
"""Colour of the strongest cell."""
LEAST = 1e-4
"""Nats above the mean below which nothing stands out, but rounding."""
TINT, DIM = 0.55, 0.55
"""How much of the colour is laid over the strongest cell, and how much light is taken where there is no evidence."""


def shown(evidence: Evidence) -> list[int]:
    """The words worth a picture: the content words, or all of them where there is none."""
    chosen = [place for place, word in enumerate(evidence.words) if is_content(word)]
    return chosen or list(range(len(evidence.words)))


def heat(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Evidence (h, c) above its mean as shares of the strongest, 0 to 1, drawn out to `size`: (height, width)."""
    grid = np.nan_to_num(grid)
    above = np.clip(grid - max(float(grid.mean()), 0.0), 0, None).astype(np.float32)
    picture = Image.fromarray(above / max(float(above.max()), LEAST))
    return np.clip(np.asarray(picture.resize(size, Image.Resampling.BICUBIC)), 0, 1)


def overlay(photo: Image.Image, grid: np.ndarray) -> Image.Image:
    """The photo, bright and tinted where the evidence (h, c) is, dim where there is none."""
    share = heat(grid, photo.size)[..., None]
    pixels = np.asarray(photo.convert("RGB"), dtype=np.float32) * (1 - DIM * (1 - share))
    tinted = pixels * (1 - TINT * share) + TINT * share * np.array(HEAT, dtype=np.float32)
    return Image.fromarray(np.rint(tinted).astype(np.uint8))


def overlays(photo: Image.Image, evidence: Evidence) -> list[tuple[Image.Image, str]]:
    """For each word worth a picture, the photo with its evidence, and the word."""
    small = ImageOps.contain(photo, (SIDE, SIDE), Image.Resampling.LANCZOS)
    return [(overlay(small, evidence.evidence[place].numpy()), evidence.words[place]) for place in shown(evidence)]


def strip(photo: Image.Image, evidence: Evidence) -> Image.Image:
    """One RGB picture: under the sentence the photo, then an overlay a content word, each with its word."""
    small = ImageOps.contain(photo, (SIDE, SIDE), Image.Resampling.LANCZOS)
    return side_by_side([(small, "photo"), *overlays(photo, evidence)], " ".join(evidence.words))


def side_by_side(pictures: Sequence[tuple[Image.Image, str]], title: str) -> Image.Image:
    """Pictures in a row on white, what each is called under it, and the title above; as wide as that needs."""
    font = ImageFont.load_default(size=LINE - 10)
    step = 2 * MARGIN + max(max(picture.width, round(font.getlength(name))) for picture, name in pictures)
    height = max(picture.height for picture, _ in pictures)
    width = max(step * len(pictures), 2 * MARGIN + round(font.getlength(title)))
    sheet = Image.new("RGB", (width, height + 2 * LINE + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, "black", font)
    for place, (picture, name) in enumerate(pictures):
        left = place * step + MARGIN
        sheet.paste(picture, (left, LINE + MARGIN))
        draw.text((left, LINE + MARGIN + height + 4), name, "black", font)
    return sheet
