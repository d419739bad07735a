"""The facade: a model folder with its processor, as one object that takes photos and gives captions.

Notable: `caption` is `encode`, `bank.write`, `fuse` and `decode` in a row, which can be called one by one; photos are
opened a batch at a time, so a folder may be of any length.

b batch   n photos   p tokens per photo   m memory tokens   d width   k key width
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from os import PathLike, fspath
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.config import SIGNALS, DecoderConfig, ImageConfig
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.attention import attention
from mm_memgpt.explain.evidence import GRID, Evidence, occlusion
from mm_memgpt.explain.written import written
from mm_memgpt.fusion.fuser import Fused
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.sources import Sources
from mm_memgpt.models.assembly import put_together
from mm_memgpt.models.confidence import Judged
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.writer import Writer
from mm_memgpt.types import Caption, Features, InputError, Match, MemoryState
from mm_memgpt.words import sentence

Photo = str | PathLike | Image | np.ndarray
"""One photo: a path, a PIL image, or an array as `as_photo` takes it."""

LONGEST_QUERY = 256
"""Tokens of a sentence that its key is made of, at most."""

EXPLANATIONS = {"occlusion": occlusion, "attention": attention}
"""How to find where a word looked: what hiding a part costs it, or, to compare, where its attention lay."""


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
        self._writer = Writer(model, processor.tokenizer)

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
        _check_counts(beams, batch)
        return self._each(iter(photos), batch, partial(self._write, beams=beams))

    def judge_each(
        self, photos: Iterable[Photo | InputError], beams: int = 4, batch: int = 16
    ) -> Iterator[tuple[Photo | InputError, Judged | InputError]]:
        """As `caption_each`, but each caption with all the signals that its confidence can be made of.

        Raises:
            InputError: `beams` or `batch` below 1.
        """
        _check_counts(beams, batch)
        return self._each(iter(photos), batch, partial(self._judge_photos, beams=beams))

    def _each(
        self, photos: Iterator[Photo | InputError], batch: int, perceive: Callable[[Tensor], Iterable[Any]]
    ) -> Iterator[tuple[Photo | InputError, Any]]:
        """Each photo with what `perceive` says of its pixels, or with why it cannot be used."""
        while group := list(islice(photos, batch)):
            opened = [self._pixels(photo) for photo in group]
            pixels = [result for result in opened if isinstance(result, Tensor)]
            said = iter(perceive(torch.cat(pixels)) if pixels else [])
            for photo, result in zip(group, opened, strict=True):
                yield photo, next(said) if isinstance(result, Tensor) else result

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

    def _judge_photos(self, pixel_values: Tensor, beams: int) -> list[Judged]:
        with torch.inference_mode():
            state = self.model.perceive(pixel_values.to(self.device, self.model.dtype))
        return self._writer.write(self.fuse(state), "", beams, SIGNALS)

    def keys_each(
        self, photos: Iterable[Photo | InputError], batch: int = 16
    ) -> Iterator[tuple[Photo | InputError, Tensor | InputError]]:
        """Each photo with its retrieval key (k,), or with why it has none, in the order given; as `caption_each`.

        Raises:
            InputError: `batch` below 1.
        """
        if batch < 1:
            raise InputError(f"batch {batch} must be at least 1; try batch=16")
        return self._each(iter(photos), batch, self._photo_keys)

    @torch.inference_mode()
    def _photo_keys(self, pixel_values: Tensor) -> Tensor:
        return self.model.image_encoder(pixel_values.to(self.device, self.model.dtype)).key.squeeze(1).cpu()

    @torch.inference_mode()
    def text_keys(self, sentences: Sequence[str]) -> Tensor:
        """Retrieval keys of n sentences (n, k), unit length; a photo's key has a high cosine with what describes it.

        Raises:
            InputError: no sentence, one without a token, or a model that reads no text.
        """
        if self.model.text_encoder is None:
            raise InputError("this model has no text encoder, so it cannot search; take one that has, such as nano")
        if not sentences or not all(map(str.strip, sentences)):
            raise InputError("nothing to search for; give a sentence or a few words")
        tokenizer = self.processor.tokenizer
        begin, end = self.model.begin(1).item(), tokenizer.eos_token_id
        rows = tokenizer([sentence(text) for text in sentences], add_special_tokens=False)["input_ids"]
        rows = [torch.tensor([begin, *ids[:LONGEST_QUERY], end]) for ids in rows]
        text = pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
        mask = pad_sequence([torch.ones_like(ids) for ids in rows], batch_first=True)
        return self.model.read_text(text.to(self.device), mask.to(self.device)).key.squeeze(1).cpu()

    def search(self, query: str, photos: Iterable[Photo], top: int = 10, batch: int = 16) -> list[Match]:
        """The photos that a sentence describes best, the best first, at most `top` of them.

        Args:
            query: a sentence or a few words.
            photos: as `caption` takes them.
            top: how many to return.
            batch: photos encoded at a time.

        Raises:
            InputError: the first photo that cannot be used (`keys_each` and `rank` go on after it), an empty query, or
                a model that reads no text.
        """
        wanted = self.text_keys([query])[0]
        found = []
        for photo, key in self.keys_each(photos, batch):
            if isinstance(key, InputError):
                raise key
            found.append((photo, key))
        return rank(wanted, found, top)

    def explain(
        self, photo: Photo, caption: Caption | str | None = None, beams: int = 4, method: str = "occlusion"
    ) -> Evidence:
        """Where on a photo each word of a sentence rests.

        Args:
            photo: as `caption` takes it.
            caption: what is to be explained, the model's or your own; what it writes of the photo where None.
            beams: of that caption.
            method: occlusion, the drop in a word's log-probability where parts of the photo are hidden, about a second
                on one CPU core; attention, the decoder's weights on the photo's own grid.

        Returns:
            The w words, and evidence (w, h, c) over the photo's cells.

        Raises:
            InputError: a photo that cannot be used, a caption that is too long, or an unknown method.
        """
        if method not in EXPLANATIONS:
            raise InputError(f"method {method!r} is unknown; known: {', '.join(EXPLANATIONS)}")
        photo = as_photo(photo)
        caption = self.caption(photo, beams) if caption is None else caption
        text = written(self.model, self.processor, str(caption))
        if not text.words:  # a model may have nothing to say
            return Evidence((), torch.zeros(0, GRID, GRID))
        pixels = self.processor(images=[photo], return_tensors="pt")["pixel_values"]
        return Evidence(text.words, EXPLANATIONS[method](self.model, pixels, text))

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

    def decode_each(self, fused: Fused, prompt: str = "", beams: int = 4, **options: Any) -> list[Caption]:
        """As `decode`, but always a list of b sentences, one a memory."""
        return [judged.caption for judged in self._writer.write(fused, prompt, beams, **options)]


def rank(query: Tensor, found: Sequence[tuple[Any, Tensor]], top: int = 10) -> list[Match]:
    """The `top` things whose keys (k,) have the highest cosine with the query's (k,), the best first; ties in order."""
    scored = [Match(what, float(query @ key)) for what, key in found]
    return sorted(scored, key=lambda match: -match.score)[:top]


def _check_counts(beams: int, batch: int) -> None:
    if beams < 1 or batch < 1:
        raise InputError(f"beams {beams} and batch {batch} must both be at least 1; try beams=4, batch=16")


def _name(photo: Photo, place: int) -> str:
    return fspath(photo) if isinstance(photo, (str, PathLike)) else f"photo {place}"


def _device(device: str | None) -> torch.device:
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(f"device {device!r} cannot be used ({error}); try 'cpu'") from error
    return torch.device(device)
