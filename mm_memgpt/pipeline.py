"""The facade: a model folder with its processor, as one object that takes photos and gives captions.

Notable: a word's log-probability comes from one teacher-forced pass over the finished sentence, because a beam's
scores are not the model's own probabilities; photos are opened a batch at a time, so a folder may be of any length.

b batch   t tokens of the longest sentence, the bos token included
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import Caption, InputError, Word

Photo = str | PathLike | Image | np.ndarray
"""One photo: a path, a PIL image, or an array as `as_photo` takes it."""


def load(name: str | PathLike = "nano", device: str | None = None) -> "Pipeline":
    """The model called `name`: one that ships in the package ("nano"), a folder, or a hub name ("owner/model").

    Args:
        name: a folder wins over a hub name; write "./nano" for a folder called nano.
        device: "cpu", "cuda", "cuda:1", ...; None takes a GPU where there is one.

    Raises:
        InputError: no such model or device, or a folder that does not hold exactly what the model needs.
    """
    chosen = _device(device)
    model, processor = read_model(find(str(name)))
    return Pipeline(model.to(chosen), processor)


class Pipeline:
    """A model and its processor, ready to use."""

    def __init__(self, model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor) -> None:
        self.model = model
        self.processor = processor

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    def caption(self, photos: Photo | Sequence[Photo], beams: int = 4, batch: int = 16) -> Caption | list[Caption]:
        """A sentence about a photo; for a list of photos, a list of sentences.

        Raises:
            InputError: the first photo that cannot be used; `caption_each` goes on after it.
        """
        several = isinstance(photos, (list, tuple))
        captions = []
        for _, result in self.caption_each(photos if several else [photos], beams, batch):
            if isinstance(result, InputError):
                raise result
            captions.append(result)
        return captions if several else captions[0]

    def caption_each(
        self, photos: Iterable[Photo | InputError], beams: int = 4, batch: int = 16
    ) -> Iterator[tuple[Photo | InputError, Caption | InputError]]:
        """Each photo with its caption, or with why it has none, in the order given.

        Photos are opened a batch at a time and kept only at the model's size, so a folder may be of any length. An
        InputError among the photos comes out as it went in, so that what a reader could not find keeps its place.

        Raises:
            InputError: `beams` or `batch` below 1.
        """
        if beams < 1 or batch < 1:
            raise InputError(f"beams {beams} and batch {batch} must both be at least 1; try beams=4, batch=16")
        return self._caption_each(iter(photos), beams, batch)

    def _caption_each(
        self, photos: Iterator[Photo | InputError], beams: int, batch: int
    ) -> Iterator[tuple[Photo | InputError, Caption | InputError]]:
        while group := list(islice(photos, batch)):
            opened = [self._pixels(photo) for photo in group]
            pixels = [result for result in opened if isinstance(result, Tensor)]
            written = iter(self._write(torch.cat(pixels), beams) if pixels else [])
            for photo, result in zip(group, opened, strict=True):
                yield photo, next(written) if isinstance(result, Tensor) else result

    def _pixels(self, photo: Photo | InputError) -> Tensor | InputError:
        if isinstance(photo, InputError):
            return photo
        try:
            return self.processor(images=[as_photo(photo)], return_tensors="pt")["pixel_values"]  # (1, 3, h, w)
        except InputError as error:
            return error

    @torch.inference_mode()
    def _write(self, pixel_values: Tensor, beams: int) -> list[Caption]:
        memory, mask = self.model.read(self.model.perceive(pixel_values.to(self.device, self.model.dtype)))
        sequences = self.model.generate(memory=memory, memory_mask=mask, num_beams=beams, do_sample=False)  # (b, t)
        logits = self.model(memory=memory, memory_mask=mask, input_ids=sequences[:, :-1]).logits
        chosen = logits.float().log_softmax(-1).gather(-1, sequences[:, 1:, None]).squeeze(-1)  # (b, t - 1)
        return [
            self._sentence(tokens, logprobs)
            for tokens, logprobs in zip(sequences[:, 1:].tolist(), chosen.tolist(), strict=True)
        ]

    def _sentence(self, tokens: list[int], logprobs: list[float]) -> Caption:
        end = self.processor.tokenizer.eos_token_id
        length = tokens.index(end) if end in tokens else len(tokens)
        words = _words(self.processor.tokenizer, tokens[:length], logprobs[:length])
        judged = logprobs[: length + 1]  # the end of the sentence is a decision too
        return Caption(
            text=" ".join(word.word for word in words),
            confidence=math.exp(sum(judged) / max(1, len(judged))),
            words=tuple(words),
        )


def _words(tokenizer: Any, tokens: list[int], logprobs: list[float]) -> list[Word]:
    """The whitespace-separated words of the sentence, each with the sum over the tokens that begin in it.

    A token belongs to the word that its first letter extends; spaces belong to the word that follows them.
    """
    prefixes = [
        tokenizer.decode(tokens[:i], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for i in range(len(tokens) + 1)
    ]
    words = prefixes[-1].split()
    sums = [0.0] * len(words)
    for before, after, logprob in zip(prefixes, prefixes[1:], logprobs, strict=False):
        begins = before[-1:].isspace() or after[len(before) :][:1].isspace()
        index = len(before.split()) - (0 if begins else 1)
        if words:
            sums[min(max(index, 0), len(words) - 1)] += logprob
    return [Word(*pair) for pair in zip(words, sums, strict=True)]


def _device(device: str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {device!r} cannot be used ({error}); try 'cpu'") from error
    return torch.device(device)
