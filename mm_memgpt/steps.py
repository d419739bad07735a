"""Captioning step by step: encode, write into the bank, fuse, decode; and a stream watched by these steps as it goes.

Notable: each step takes what the one before returned and keeps nothing, so a memory can be saved, joined or asked
again between any two of them; what is watched may last for ever, for the bank's size is all it takes.

b batch   n items   p tokens per item   m memory tokens   d width   k key width
"""

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any, NamedTuple

import torch

from mm_memgpt.datasets.clip import ALIKE
from mm_memgpt.datasets.clip_region import Window
from mm_memgpt.fusion.fuser import Fused, of_newest
from mm_memgpt.kinds import is_sound_pair, kind_of
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.sources import Sources
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.writer import Writer
from mm_memgpt.perception import Input, Perception, Watched, called
from mm_memgpt.types import MODALITIES, Caption, Features, InputError, MemoryState

LONGEST_SUMMARY = 80
"""Tokens of a sentence about a whole memory; training has as many, the question included (`longest`)."""


class Glimpse(NamedTuple):
    """What a model says of the newest moment of what it watches, and all it remembers by then."""

    start: float
    """Seconds on the clip's clock."""
    end: float
    """Seconds."""
    caption: Caption | None
    """The sentence about it; None for a piece of sound soon after the last sentence."""
    state: MemoryState
    """The memory, this moment included."""


class Steps:
    """A model and its processor, used step by step."""

    def __init__(self, model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor) -> None:
        self.model = model
        self.processor = processor
        self._perception = Perception(model, processor)
        self._writer = Writer(model, processor.tokenizer)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return self.model.device

    @property
    def bank(self) -> MemoryBank:
        """The rules of the model's memory: `bank.empty()`, `bank.write(state, features)`, `bank.save(state, path)`."""
        return self.model.bank

    @torch.no_grad()
    def encode(
        self,
        photos: Input | Sequence[Input],
        *,
        sources: Sources | None = None,
        names: Sequence[str] | None = None,
        time: Sequence[float | tuple[float, float]] | None = None,
    ) -> Features:
        """Photos, sounds, clips and sentences (`Text`) as items of one stream, to be written into one memory.

        Args:
            photos: one input, or a list of them in any mixture. A photo or a sentence is an item; a sound is one a
                second or so, a clip one a frame that is kept and one a piece of its sound, each at its own time.
            sources: the table that gives each name its number, and remembers new names. Without one, input i is
                source i.
            names: what each input is called; its path where it has one, else its kind and place in the list.
            time: start of each, or start and end, in seconds on the stream's clock; where None, one after another: a
                photo or a sentence a second, a sound or clip as long as it is.

        Returns:
            tokens (1, n, p, d), mask (1, n, p), key (1, n, k), time (1, n, 2), modality (1, n), source (1, n).

        Raises:
            InputError: the first input that cannot be used, none at all, or names or times that are not one an input.
        """
        inputs = photos if isinstance(photos, (list, tuple)) and not is_sound_pair(photos) else [photos]
        for what, given in (("names", names), ("times", time)):
            if given is not None and len(given) != len(inputs):
                raise InputError(f"{len(given)} {what} for {len(inputs)} inputs; give one an input")
        if not inputs:
            raise InputError("nothing to encode; give at least one photo, sound, clip or Text")
        if names is None:
            names = [called(value, kind_of(value), place) for place, value in enumerate(inputs)]
        numbers = range(len(inputs)) if sources is None else [sources.number(name) for name in names]
        return self._perception.stream(inputs, numbers, time)

    def watch(
        self,
        source: str | PathLike | bytes,
        every: float | None = 1.0,
        alike: float | None = ALIKE,
        fps: float | None = None,
        beams: int = 4,
        region: str | Window | None = None,
    ) -> Iterator[Glimpse]:
        """A clip or stream as it goes, in constant memory: a sentence a frame kept, with all before it in mind.

        Where no frame comes, because nothing changes or there are no pictures, a model that hears says something of a
        piece of sound, once in `every` seconds at most. `summarize(glimpse.state)` sums up what was seen so far.

        Args:
            source: a path, bytes, an address, a device or a folder of frames, as `open_clip` takes it.
            every: at most one frame in so many seconds; None or 0 for every frame.
            alike: difference below which a frame shows nothing new, as in `open_clip`; None keeps every frame.
            fps: frames a second of a folder of frames.
            beams: of each sentence.
            region: where to look closely, "motion" or (left, top, right, bottom) as `open_clip` takes it: frames come
                at the model's own pace, as lips need it, and make an item every two seconds or so; `every` and `alike`
                are not used.

        Raises:
            InputError: it cannot be opened or breaks off, after the glimpses of what came before; or `beams` below 1.
        """
        check_counts(beams, 1)
        moments = self._perception.watch(source, how=Watched(every, alike, fps, region), group=1)
        return self.glimpses(moments, every, beams)

    @torch.no_grad()
    def glimpses(self, moments: Iterable[Features], every: float | None = 1.0, beams: int = 4) -> Iterator[Glimpse]:
        """What is said of moments as they come, items (1, 1) each; the other arguments are those of `watch`."""
        state, said = self.bank.empty(device=self.device), 0.0
        for moment in moments:
            state = self.bank.write(state, moment)
            start, end = moment.time[0, 0].tolist()
            caption = None
            if moment.modality.item() == MODALITIES.index("image") or end - said >= (every or 0.0):
                caption, said = self.decode_each(of_newest(self.fuse(state), state), beams=beams)[0], end
            yield Glimpse(start, end, caption, state)

    @torch.no_grad()
    def fuse(self, state: MemoryState, relations: torch.Tensor | None = None) -> Fused:
        """What the decoder can read of a memory: tokens (b, m, d), mask (b, m) and readout (b, d).

        `relations` (b, s, s) are further edges between its slots, as knowledge from outside gives them.
        """
        return self.model.fuser(state, relations)

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

    @torch.no_grad()
    def summarize(self, state: MemoryState, beams: int = 4) -> Caption:
        """A sentence about all that a memory of batch 1 holds: the answer to the question that the model was taught for
        that (its config's `summary`), else what it writes unasked.

        Raises:
            InputError: `beams` below 1.
        """
        fused, asked = self.fuse(state), self.model.config.summary
        if asked is None:
            return self.decode_each(fused, beams=beams)[0]
        return self._writer.write(fused, asked, beams, answer=True, max_new_tokens=LONGEST_SUMMARY)[0].caption

    def answer_each(self, fused: Fused, question: str, beams: int = 1) -> list[Caption]:
        """Answers to a question about b fused memories, one a memory, without the question's own words.

        Their confidence is the mean probability of a token, the answer's end among them; no calibration was made for
        answers.

        Raises:
            InputError: no question, `beams` below 1, or a question that leaves no room for an answer.
        """
        if not question.strip():
            raise InputError('nothing is asked; give a question, such as "What is heard?"')
        return [judged.caption for judged in self._writer.write(fused, question.strip(), beams, answer=True)]


def check_counts(beams: int, batch: int) -> None:
    """Raises InputError unless both are at least 1."""
    if beams < 1 or batch < 1:
        raise InputError(f"beams {beams} and batch {batch} must both be at least 1; try beams=4, batch=16")
