"""The facade: a model folder with its processor, as one object that takes photos, sounds and clips and gives captions.

Notable: `caption` is `encode`, `bank.write`, `fuse` and `decode` in a row, which can be called one by one; photos are
opened a batch at a time and clips read front to back, so a folder or a clip may be of any length.

b batch   n items   p tokens per item   m memory tokens   d width   k key width
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from mm_memgpt.config import SIGNALS, AudioConfig, DecoderConfig, ImageConfig
from mm_memgpt.datasets.clip_region import Window
from mm_memgpt.datasets.photo import as_photo
from mm_memgpt.explain.attention import attention
from mm_memgpt.explain.evidence import GRID, Evidence, occlusion
from mm_memgpt.explain.written import written
from mm_memgpt.fusion.fuser import Fused
from mm_memgpt.kinds import is_sound_pair, kind_of
from mm_memgpt.models.assembly import put_together
from mm_memgpt.models.confidence import Judged
from mm_memgpt.models.device import choose_device
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.perception import Input, Photo, Watched
from mm_memgpt.recollection.adding import Progress
from mm_memgpt.recollection.memory import Memory
from mm_memgpt.recollection.perceiving import Perceiver
from mm_memgpt.recollection.reencoding import reencode
from mm_memgpt.recollection.results import Added
from mm_memgpt.steps import Steps, check_counts
from mm_memgpt.types import Caption, InputError, Match

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
    chosen = choose_device(device)
    model, processor = read_model(find(str(name)))
    return Pipeline(model.to(chosen), processor)


def assemble(
    preset: str = "nano",
    *,
    trunk: str | ImageConfig | None = None,
    ears: str | AudioConfig | None = None,
    decoder: str | PathLike | DecoderConfig | None = None,
    tokenizer: str | PathLike | None = None,
    pretrained: bool | str = False,
    device: str | None = None,
) -> "Pipeline":
    """A new model of a preset's shape, perhaps with another image tower, other ears or another language model.

    Args:
        preset: tiny, nano, small or base.
        trunk: an image tower by name ("timm/resnet18"), or a whole ImageConfig.
        ears: a tower that hears, by name ("torchaudio/hubert_base"), or a whole AudioConfig; None leaves the preset's.
        decoder: a language model by folder or hub name, or a whole DecoderConfig.
        tokenizer: the folder of a tokenizer; the language model's own where it has one, else nano's.
        pretrained: whether the towers and the language model start from their pretrained weights, else from random
            ones; a file or folder has the image tower's weights where its hub cannot be reached.
        device: as `load` takes it.

    Raises:
        InputError: an unknown preset or device, or a part that cannot be had, with the ways out.
        ValueError: parts that do not fit together.
    """
    chosen = choose_device(device)
    model, processor = put_together(
        preset, trunk=trunk, ears=ears, decoder=decoder, tokenizer=tokenizer, pretrained=pretrained
    )
    return Pipeline(model.to(chosen), processor)


class Pipeline(Steps):
    """A model and its processor, ready to use."""

    def save(self, folder: str | PathLike) -> None:
        """Writes model and processor into a folder, from which `load` reads them."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    def memory(self, address: str | PathLike, read_only: bool = False, create: bool = True) -> Memory:
        """The memory at an address, which outlives the process; use it in a `with`.

        Args:
            address: a folder, or an object store's address ("s3://bucket/trip.memory").
            read_only: whether nothing may be added or forgotten; another process may do so meanwhile.
            create: whether one is made where there is none.

        Raises:
            InputError: something else is there, a memory by another encoder, or one that may not be read or written.
        """
        return Memory(self, address, read_only=read_only, create=create)

    def reencode(self, address: str | PathLike, on_progress: Progress | None = None) -> Added:
        """Perceives a memory that another encoder wrote anew, so that this model can open it.

        Args:
            address: a folder.
            on_progress: as `Memory.add` calls it.

        Returns:
            What became of it; with errors, the memory as it was is kept beside it.

        Raises:
            InputError: no memory there, one in an object store, or one that may not be written.
        """
        return reencode(self.model, Perceiver(self._perception), address, on_progress)

    def caption(
        self,
        photos: Input | Sequence[Input],
        beams: int = 4,
        batch: int = 16,
        ask: str | None = None,
        region: str | Window | None = None,
    ) -> Caption | list[Caption]:
        """A sentence about a photo, sound or clip, or an answer; for a list of them, a list.

        Args:
            photos: what to write about.
            beams: sentences considered at a time; 1 is greedy.
            batch: photos perceived at a time.
            ask: a question, such as "What is said?", that is answered in place of a sentence.
            region: of clips, where to look closely, as in `watch`.

        Raises:
            InputError: the first input that cannot be used; `caption_each` goes on after it.
        """
        several = isinstance(photos, (list, tuple)) and not is_sound_pair(photos)
        captions = []
        for _, result in self.caption_each(photos if several else [photos], beams, batch, ask, region):
            if isinstance(result, InputError):
                raise result
            captions.append(result)
        return captions if several else captions[0]

    def caption_each(
        self,
        photos: Iterable[Input | InputError],
        beams: int = 4,
        batch: int = 16,
        ask: str | None = None,
        region: str | Window | None = None,
    ) -> Iterator[tuple[Input | InputError, Caption | InputError]]:
        """Each photo, sound or clip with its caption, or with why it has none, in the order given.

        Photos are opened a batch at a time and kept only at the model's size, so a folder may be of any length; a sound
        or clip is written from a memory of its items, read front to back. An InputError among the inputs comes out as
        it went in, so that what a reader could not find keeps its place. The other arguments are those of `caption`.

        Raises:
            InputError: `beams` or `batch` below 1, or a question without a word.
        """
        check_counts(beams, batch)
        if ask is not None and not ask.strip():
            raise InputError('nothing is asked; give a question, such as "What is heard?"')
        say = partial(self._say, beams=beams, ask=ask)
        how = None if region is None else Watched(region=region)
        return self._each(iter(photos), batch, partial(self._write, say=say), partial(self._remember, say=say, how=how))

    def judge_each(
        self, photos: Iterable[Photo | InputError], beams: int = 4, batch: int = 16
    ) -> Iterator[tuple[Photo | InputError, Judged | InputError]]:
        """As `caption_each`, but each caption with all the signals that its confidence can be made of.

        Raises:
            InputError: `beams` or `batch` below 1.
        """
        check_counts(beams, batch)
        return self._each(iter(photos), batch, partial(self._judge_photos, beams=beams))

    def _each(
        self,
        inputs: Iterator[Input | InputError],
        batch: int,
        perceive: Callable[[Tensor], Iterable[Any]],
        remember: Callable[[Input], Any] | None = None,
    ) -> Iterator[tuple[Input | InputError, Any]]:
        """Each photo with what `perceive` says of its pixels, or with why it cannot be used.

        What is no photo is left to `remember`, when its turn comes; without it, all are taken for photos.
        """
        while group := list(islice(inputs, batch)):
            opened = [self._open(value, remember is None) for value in group]
            pixels = [result for result in opened if isinstance(result, Tensor)]
            said = iter(perceive(torch.cat(pixels)) if pixels else [])
            for value, result in zip(group, opened, strict=True):
                if isinstance(result, Tensor):
                    yield value, next(said)
                else:
                    yield value, remember(value) if result is None else result

    def _open(self, value: Input | InputError, all_photos: bool) -> Tensor | InputError | None:
        """A photo's pixels (1, 3, h, w), or why it cannot be used; None for what is no photo."""
        if isinstance(value, InputError):
            return value
        if not all_photos and kind_of(value) != "photo":
            return None
        try:
            return self._perception.pixels([value])
        except InputError as error:
            return error

    def _say(self, fused: Fused, beams: int, ask: str | None) -> list[Caption]:
        return self.decode_each(fused, beams=beams) if ask is None else self.answer_each(fused, ask, beams)

    def _remember(
        self, value: Input, say: Callable[[Fused], list[Caption]], how: Watched | None
    ) -> Caption | InputError:
        """What is said of a memory of an input's items, or why there is nothing."""
        try:
            return say(self.fuse(self._perception.memory(value, how)))[0]
        except InputError as error:
            return error

    def _write(self, pixel_values: Tensor, say: Callable[[Fused], list[Caption]]) -> list[Caption]:
        with torch.inference_mode():
            state = self.model.perceive(pixel_values.to(self.device, self.model.dtype))
        return say(self.fuse(state))

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
        if not sentences or not all(map(str.strip, sentences)):
            raise InputError("nothing to search for; give a sentence or a few words")
        return self._perception.read(sentences, "search").key.squeeze(1).cpu()

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


def rank(query: Tensor, found: Sequence[tuple[Any, Tensor]], top: int = 10) -> list[Match]:
    """The `top` things whose keys (k,) have the highest cosine with the query's (k,), the best first; ties in order."""
    scored = [Match(what, float(query @ key)) for what, key in found]
    return sorted(scored, key=lambda match: -match.score)[:top]
