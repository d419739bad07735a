"""Which examples come, and how often: a run's mixture of kinds, each example made from its own number alone.

Notable: item i of a run is the same example whoever asks for it, so a resumed run, or one with more worker processes,
sees exactly what an unbroken one sees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from torch.utils.data import Dataset

from mm_memgpt.config import require
from mm_memgpt.datasets.chance import draw
from mm_memgpt.types import InputError

ATTEMPTS = 100
"""How often a kind is tried for one place: some scenes settle no question, and some samples are broken."""

KINDS = (
    *("captions", "clips", "sounds", "questions", "summaries", "speech", "notes", "language", "reading", "replies"),
    "facts",
)
"""What can be written about a memory: a photo's sentences, a clip's, a sound's, answers, a whole scene's sentence, the
words that are said, and what a note says; and plain text: a passage alone, one behind what came before it, and a
reply; and answers about a photo that a fact settles."""

PROSE = ("language", "reading")
"""Kinds that are made of running texts."""


@dataclass(kw_only=True)
class Mixture:
    """What memories of many items are trained on: the share of each kind of example, and how memories are disturbed."""

    captions: float = 0.3
    """Share of lone photos with people's sentences, of `data.train`."""
    sounds: float = 0.1
    """Share of lone sounds and spoken digits with a sentence of the template."""
    questions: float = 0.5
    """Share of scenes with questions."""
    summaries: float = 0.1
    """Share of scenes with a sentence about all of it."""
    clips: float = 0.0
    """Share of lone clips, made of photos of `data.train` by a moving camera, with the photos' sentences."""
    speech: float = 0.0
    """Share of clips of a talker, by sound, lips or both, with the words that are said."""
    notes: float = 0.0
    """Share of a few notes, one of which is to be written down again."""
    language: float = 0.0
    """Share of passages of `data.texts`, without a memory."""
    reading: float = 0.0
    """Share of passages of `data.texts`, with the sentences before them in the memory."""
    replies: float = 0.0
    """Share of replies of `data.replies`, with what they are about in the memory."""
    facts: float = 0.0
    """Share of photos with facts of `knowledge`, and a question that one of them settles."""
    described: float = 0.0
    """Chance that, beside its questions, a sentence about one of a scene's photos is learned, asked for by place."""
    clip_photos: int = 2000
    """Photos of each source that clips are made of, the first ones: each takes six to eight maps on disk."""
    samples: int = 6000
    """Examples an epoch."""
    asked: int = 3
    """Questions about one scene, at most."""
    folds: tuple[int, ...] = (1, 2)
    """Folds of ESC-10 that are learned from."""
    val_folds: tuple[int, ...] = (3,)
    """Folds of ESC-10 that choose the best checkpoint."""
    dropout: float = 0.15
    """Chance that a source of a scene is left out before anything is asked about it."""
    stretch: float = 4.0
    """Longest and shortest time between moments, as a multiple and its inverse of what was drawn."""
    slots: int = 16
    """Slots of the memory in training: so few that items merge in some scenes."""
    ring: int = 4
    """The newest items that never merge, in training."""
    unbiased: bool = False
    """Whether what the wording of a question tells of its answer is taken off what is learned."""
    looking: float = 0.0
    """Weight of the loss that lets the decoder read what settles a question when it begins the answer."""
    keys: float = 0.1
    """Weight of the loss that holds the keys of photos, sounds and sentences in one space; 0 leaves it out."""
    hold: float = 0.5
    """Share of the captions' loss that holds what is written about photos to what the start would write; without a
    `start` there is none."""
    rehearsal: float = 1.0
    """Weight of the captions' loss beside the others'."""
    hold_keys: float = 0.0
    """Weight of the loss that holds the keys of captions' sentences to those that the start gives them: as what sees
    photos stays as it is, photos are then found as before."""
    sound_keys: bool = True
    """Whether what makes the keys of sounds learns; where sounds are few beside sentences, it is better left alone."""
    maps: str = "runs/maps"
    """Folder that keeps what the trunks make of photos and sounds; all runs may share it."""

    def __post_init__(self) -> None:
        shares = [getattr(self, kind) for kind in KINDS]
        require(min(shares) >= 0 and sum(shares) > 0, f"shares of {', '.join(KINDS)} must be at least 0, not all 0")
        require(min(self.samples, self.asked) >= 1, f"samples {self.samples}, asked {self.asked}: both at least 1")
        require(self.clip_photos >= 1, f"clip_photos {self.clip_photos} must be at least 1; try clip_photos=2000")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.15")
        require(0 <= self.described <= 1, f"described {self.described} must lie in 0..1; try described=0.5")
        require(self.stretch >= 1, f"stretch {self.stretch} must be at least 1; try stretch=4")
        require(0 <= self.hold <= 1, f"hold {self.hold} must lie in 0..1; try hold=0.5")
        for name in ("looking", "keys", "rehearsal", "hold_keys"):
            require(getattr(self, name) >= 0, f"{name} {getattr(self, name)} must be at least 0; try {name}=0.1")
        shared = sorted({*self.folds} & {*self.val_folds})
        require(not shared, f"fold {shared} is both learned from and validated on; name it once")

    @property
    def shares(self) -> dict[str, float]:
        """The kinds that come, with their shares."""
        return {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind) > 0}


class Examples(Dataset):
    """The examples of a whole run.

    Args:
        makers: by kind, what makes an example from a generator, or None where that came to nothing.
        shares: how often each kind comes.
        length: examples of the run.
        seed: any text.
        skip: told of each broken sample, in whose place another example comes; without it, a broken one raises.
    """

    def __init__(
        self,
        makers: Mapping[str, Callable[[Random], dict[str, Any] | None]],
        shares: Mapping[str, float],
        length: int,
        seed: str,
        skip: Callable[[InputError], None] | None = None,
    ) -> None:
        self.makers, self.shares, self.length, self.seed, self.skip = makers, shares, length, seed, skip

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        generator = Random(f"{self.seed}:{index}")
        kind = draw(generator, list(self.shares), list(self.shares.values()))
        last = "nothing could be made"
        for _ in range(ATTEMPTS):
            try:
                example = self.makers[kind](generator)
            except InputError as error:
                if self.skip is None:
                    raise
                self.skip(error)
                last = str(error)
                continue
            if example is not None:
                return example
        raise InputError(f"no example of {kind} in {ATTEMPTS} attempts; the last: {last}")
