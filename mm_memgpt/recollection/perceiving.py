"""Inputs as items that can be kept: perceived a group at a time, with the words and the small picture that show them.

Notable: tokens and keys are rounded to float16 here, before anything is folded or searched; what is long comes in
groups, so a film or a book takes no more room than a photo does.

n items   p tokens per item   d width   k key width
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch

from mm_memgpt.datasets.document import Sentence, sentences, split
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.memory.item import Item, new_id
from mm_memgpt.perception import GROUP, Perception
from mm_memgpt.recollection.inputs import Given, preview
from mm_memgpt.types import MODALITIES, Features, InputError

SENTENCES = 64
"""Sentences of a document that are read at a time."""


class Part(NamedTuple):
    """Some items of an input, and how much of it is perceived by then, 0 to 1; None where nobody knows."""

    items: list[Item]
    done: float | None


class Perceiver:
    """A model's perception, as what makes items."""

    def __init__(self, perception: Perception) -> None:
        self.perception = perception

    def parts(self, one: Given, start: float, skip: int = 0) -> Iterator[Part]:
        """The items of an input, a group at a time, without the first `skip`, which are kept already.

        Raises:
            InputError: it cannot be used, or the model has no sense for it; perhaps after what came before.
        """
        if one.kind in ("document", "text"):
            yield from self._read(one, start, skip)
        elif one.kind == "photo":
            yield Part(self.photos([(one, *opened(one))], [start])[skip:], 1.0)
        else:
            yield from self._perceive(one, start, skip)

    @torch.inference_mode()
    def photos(self, photos: Sequence[tuple[Given, Any, bytes]], starts: Sequence[float]) -> list[Item]:
        """An item for each photo, which is perceived with its preview at hand."""
        features = self.perception.see(self.perception.pixels([photo for _, photo, _ in photos]))
        made = items_of(features, photos[0][0], [small for _, _, small in photos])
        return [
            replace(item, source=one.name, digest=one.digest, start=start, end=start)
            for item, (one, _, _), start in zip(made, photos, starts, strict=True)
        ]

    @torch.inference_mode()
    def key(self, one: Given) -> np.ndarray:
        """The key (k,) of an input to search by: of a long one the direction of the sum of its items' keys."""
        total = sum(item.key.astype(np.float64) for part in self.parts(one, 0.0) for item in part.items)
        length = np.linalg.norm(total)
        if not length:
            raise InputError(f"{one.name}: nothing in it to search by; give a photo, a sound or a few words")
        return (total / length).astype(np.float16)

    @torch.inference_mode()
    def text_key(self, words: str) -> np.ndarray:
        """The key (k,) of a question or a few words."""
        return self.perception.read([words], "search for").key[0, 0].float().cpu().numpy()

    @torch.inference_mode()
    def read(self, texts: Sequence[str], one: Given | None = None) -> list[Item]:
        """An item for each sentence; of no source where `one` is None."""
        features = self.perception.read(texts, "read")
        features = Features(*(field.transpose(0, 1) for field in features))  # (1, n, ...)
        return items_of(features, one or Given(None, "text", "", "", False), texts=texts)

    def _read(self, one: Given, start: float, skip: int) -> Iterator[Part]:
        said: Iterator[Sentence]
        if one.kind == "text":
            said = iter([Sentence(text, 1.0) for text in split(one.value.text)])
        else:
            said = sentences(one.value)
        number = skip
        for _ in islice(said, skip):
            pass
        while group := list(islice(said, SENTENCES)):
            made = self.read([sentence.text for sentence in group], one)
            times = [start + number + place for place in range(len(made))]
            number += len(made)
            yield Part([replace(item, start=at, end=at) for item, at in zip(made, times, strict=True)], group[-1].done)
        if number == 0:
            raise InputError(f"{one.name}: no sentence in it; give a text with words")

    @torch.no_grad()
    def _perceive(self, one: Given, start: float, skip: int) -> Iterator[Part]:
        smalls: list[bytes] = []
        if one.kind == "clip":
            groups = self.perception.watch(
                one.value, 0, start, None, GROUP, lambda frame: smalls.append(preview(frame))
            )
        else:
            groups = self.perception.hear(one.value, 0, start)
        for features in groups:
            made = items_of(features, one)
            for place, item in enumerate(made):
                if item.modality == "image" and smalls:
                    made[place] = replace(item, preview=smalls.pop(0))
            left, skip = made[skip:], max(0, skip - len(made))
            if left:
                yield Part(left, None)


def opened(one: Given) -> tuple[Any, bytes]:
    """A photo and its preview.

    Raises:
        InputError: it cannot be used.
    """
    photo = as_photo(one.value)
    return photo, preview(photo)


def items_of(features: Features, one: Given, previews: Sequence[bytes] = (), texts: Sequence[str] = ()) -> list[Item]:
    """Features of one row (1, n) as n items of an input."""
    tokens, mask = features.tokens[0].half().cpu().numpy(), features.mask[0].cpu().numpy()
    keys, times = features.key[0].half().cpu().numpy(), features.time[0].tolist()
    now = time.time()
    return [
        Item(
            id=new_id(),
            source=one.name,
            modality=MODALITIES[modality],
            start=times[place][0],
            end=times[place][1],
            created=now,
            key=keys[place],
            tokens=np.where(mask[place][:, None], tokens[place], np.float16(0)),
            mask=mask[place],
            text=texts[place] if texts else "",
            preview=previews[place] if previews else b"",
            digest=one.digest,
        )
        for place, modality in enumerate(features.modality[0].tolist())
    ]
