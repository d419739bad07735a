"""The facade: a model folder with its processor, as one object that takes photos and gives captions.

Notable: `caption` is `encode`, `bank.write`, `fuse` and `decode` in a row, which can be called one by one; a word's
log-probability comes from one teacher-forced pass over the finished sentence, because a beam's scores are not the
model's own probabilities; photos are opened a batch at a time, so a folder may be of any length.

b batch   n photos   p tokens per photo   m memory tokens   t tokens of the longest sentence, the bos token included
d width   k key width
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from mm_memgpt.config import DecoderConfig, ImageConfig
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.fusion.fuser import Fused
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.sources import Sources
from mm_memgpt.models.assembly import put_together
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import Caption, Features, InputError, MemoryState, Word

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


def assemble(
    preset: str = "nano",
    *,
    trunk: str | ImageConfig | None = None,
    decoder: str | PathLike | DecoderConfig | None = None,
    tokenizer: str | PathLike | None = None,
    pretrained: bool | str = False,
    device: str | None = None,
) -> "Pipeline":
    """A new model of a preset's shape, perhaps with another image tower or another language model in its place.

    Args:
        preset: tiny, nano, small or base.
        trunk: an image tower by name ("timm/resnet18"), or a whole ImageConfig.
        decoder: a language model by folder or hub name, or a whole DecoderConfig.
        tokenizer: the folder of a tokenizer; the language model's own where it has one, else nano's.
        pretrained: whether the tower and the language model start from their pretrained weights, else from random ones;
            a file or folder has the tower's weights where its hub cannot be reached.
        device: as `load` takes it.

    Raises:
        InputError: an unknown preset or device, or a part that cannot be had, with the ways out.
        ValueError: parts that do not fit together.
    """
    chosen = _device(device)
    model, processor = put_together(preset, trunk=trunk, decoder=decoder, tokenizer=tokenizer, pretrained=pretrained)
    return Pipeline(model.to(chosen), processor)


class Pipeline:
    """A model and its processor, ready to use."""

    def __init__(self, model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor) -> None:
        self.model = model
        self.processor = processor

    def save(self, folder: str | PathLike) -> None:
        """Writes model and processor into a folder, from which `load` reads them."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

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

    def _write(self, pixel_values: Tensor, beams: int) -> list[Caption]:
        with torch.inference_mode():
            state = self.model.perceive(pixel_values.to(self.device, self.model.dtype))
        return self.decode_each(self.fuse(state), beams=beams)

    @property
    def bank(self) -> MemoryBank:
        """The rules of the model's memory: `bank.empty()`, `bank.write(state, features)`, `bank.save(state, path)`."""
        return self.model.bank

    @torch.no_grad()
    def encode(
        self,
        photos: Photo | Sequence[Photo],
        *,
        sources: Sources | None = None,
        names: Sequence[str] | None = None,
        time: Sequence[tuple[float, float]] | None = None,
    ) -> Features:
        """Photos as items of one stream, to be written into one memory.

        Args:
            photos: one photo, or a list of n.
            sources: the table that gives each name its number, and remembers new names. Without one, photo i is
                source i.
            names: what each photo is called, n of them; its path where it has one, else its place in the list.
            time: start and end of each in seconds on the stream's clock; second i for photo i where None.

        Returns:
            tokens (1, n, p, d), mask (1, n, p), key (1, n, k), time (1, n, 2), modality (1, n), source (1, n).

        Raises:
            InputError: the first photo that cannot be used, no photo, or names or times that are not one a photo.
        """
        photos = photos if isinstance(photos, (list, tuple)) else [photos]
        for what, given in (("names", names), ("times", time)):
            if given is not None and len(given) != len(photos):
                raise InputError(f"{len(given)} {what} for {len(photos)} photos; give one a photo")
        if not photos:
            raise InputError("no photo to encode; give at least one")
        pixels = self.processor(images=[as_photo(photo) for photo in photos], return_tensors="pt")["pixel_values"]
        called = [_name(photo, place) for place, photo in enumerate(photos)] if names is None else names
        numbers = range(len(photos)) if sources is None else [sources.number(name) for name in called]
        return self.model.image_encoder(
            pixels.unsqueeze(0).to(self.device, self.model.dtype),
            source=torch.tensor([list(numbers)], device=self.device),
            time=None if time is None else torch.tensor([list(time)], dtype=torch.float64, device=self.device),
        )

    @torch.no_grad()
    def fuse(self, state: MemoryState) -> Fused:
        """What the decoder can read of a memory: tokens (b, m, d), mask (b, m) and readout (b, d)."""
        return self.model.fuser(state)

    def decode(self, fused: Fused, prompt: str = "", beams: int = 4, **options: Any) -> Caption | list[Caption]:
        """A sentence about a fused memory; for a batch of memories, a list of sentences.

        Args:
            fused: what `fuse` returned.
            prompt: a beginning, which the sentence continues.
            beams: sentences considered at a time; 1 is greedy.
            options: any other argument of transformers' generate: max_new_tokens, do_sample, temperature, ...

        Raises:
            InputError: `beams` below 1, or a prompt that leaves no room for a word.
        """
        captions = self.decode_each(fused, prompt, beams, **options)
        return captions[0] if len(captions) == 1 else captions

    @torch.inference_mode()
    def decode_each(self, fused: Fused, prompt: str = "", beams: int = 4, **options: Any) -> list[Caption]:
        """As `decode`, but always a list of b sentences, one a memory."""
        if beams < 1:
            raise InputError(f"beams {beams} must be at least 1; try beams=4")
        memory, mask = self.model.readable(fused)
        begun = self._begin(prompt).expand(len(memory), -1)
        text = {"decoder_input_ids" if self.model.writes_from_a_source else "input_ids": begun}
        how = {"num_beams": beams, "do_sample": False, **options}
        sequences = self.model.generate(memory=memory, memory_mask=mask, **text, **how)  # (b, t)
        logits = self.model.teacher_forced(sequences, memory, mask)
        chosen = logits.float().log_softmax(-1).gather(-1, sequences[:, 1:, None]).squeeze(-1)  # (b, t - 1)
        return [
            self._sentence(tokens, logprobs, begun.shape[1] - 1)
            for tokens, logprobs in zip(sequences[:, 1:].tolist(), chosen.tolist(), strict=True)
        ]

    def _begin(self, prompt: str) -> Tensor:
        """The prompt's tokens (1, t), behind the one that every text begins with."""
        begin = self.model.begin(1)
        tokens = self.processor.tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and len(tokens) + 2 > room:
            raise InputError(
                f"prompt of {len(tokens)} tokens is too long for the {room} the model can hold; shorten it"
            )
        return torch.cat([begin, torch.tensor([tokens], dtype=begin.dtype, device=self.device)], dim=1)

    def _sentence(self, tokens: list[int], logprobs: list[float], given: int) -> Caption:
        """The sentence of the tokens behind bos, of which the first `given` are the prompt's."""
        end = self.processor.tokenizer.eos_token_id
        length = tokens.index(end, given) if end in tokens[given:] else len(tokens)
        words = _words(self.processor.tokenizer, tokens[:length], logprobs[:length])
        judged = logprobs[given : length + 1]  # the end of the sentence is a decision too
        return Caption(
            text=" ".join(word.word for word in words),
            confidence=math.exp(sum(judged) / max(1, len(judged))),
            words=tuple(words),
        )


def _name(photo: Photo, place: int) -> str:
    return fspath(photo) if isinstance(photo, (str, PathLike)) else f"photo {place}"


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
