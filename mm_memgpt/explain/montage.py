"""Montages: two unlike photos side by side, so that it is known in which half a word's evidence must lie.

Notable: two photos are unlike where what people wrote of them has no content word in common, so a word that one photo's
sentences hold belongs to that half, and no word to both; each photo is squeezed to half the width, and nothing is cut.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.content import is_content, stem, stems
from mm_memgpt.types import InputError, Sample
from mm_memgpt.words import words

SIDE = 224
"""Pixels of a montage's sides."""
PATIENCE = 1000
"""Pairs drawn for each that is wanted, before giving up."""


class Montage(NamedTuple):
    """A square photo of two halves."""

    photo: Image.Image
    stems: tuple[frozenset[str], frozenset[str]]
    """Stems of the content words that people wrote of the left photo, and of the right one."""
    sources: tuple[str, str]
    """Where the two photos came from."""

    def half(self, word: str) -> int | None:
        """The half a word belongs to, 0 left and 1 right; None for a word that belongs to neither."""
        if not is_content(word):
            return None
        found = {stem(part) for part in words(word)}
        inside = [bool(found & half) for half in self.stems]
        return inside.index(True) if sum(inside) == 1 else None


def montages(samples: Sequence[Sample], count: int, seed: int = 0) -> list[Montage]:
    """`count` montages of photos drawn at random; the same for the same samples and seed.

    Raises:
        InputError: too few photos are unlike each other.
    """
    draw, made = random.Random(seed), []
    described = [frozenset(stems(sample.captions)) for sample in samples]
    for _ in range(PATIENCE * count):
        if len(made) == count or len(samples) < 2:
            break
        left, right = draw.sample(range(len(samples)), 2)
        if described[left] and described[right] and not described[left] & described[right]:
            made.append(montage(samples[left], samples[right]))
    if len(made) < count:
        raise InputError(f"{len(samples)} photos give {len(made)} unlike pairs, not {count}; give more photos")
    return made


def montage(left: Sample, right: Sample) -> Montage:
    """Two samples with photo and captions, side by side."""
    sheet = Image.new("RGB", (SIDE, SIDE))
    for place, sample in enumerate((left, right)):
        sheet.paste(as_photo(sample.image).resize((SIDE // 2, SIDE), Image.Resampling.BICUBIC), (place * SIDE // 2, 0))
    described = tuple(frozenset(stems(sample.captions)) for sample in (left, right))
    return Montage(sheet, described, (left.source, right.source))
