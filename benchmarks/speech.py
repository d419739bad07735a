"""How many words of a talker are written right, by sound, by lips and by both, in quiet and in noise: one table.

    python -m benchmarks.speech                                    nano on the validation clips
    python -m benchmarks.speech runs/remember --part test          another model, on the test clips
    python -m benchmarks.speech runs/no-graph --against runs/remember       and how it compares, clip by clip

Notable: clips are opened and watched as a user's are, and asked "What is said?"; a word is right where it stands at its
own place of the six; white noise has the mean power of the clip's sound times the decibels, and a seed of its own;
differences are of the same clips, so their intervals are of pairs.

n clips   t samples
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.clips import cell
from benchmarks.features import digest
from mm_memgpt.datasets.base import read
from mm_memgpt.encoders.items import by_time, join, reorder
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.models.loading import find
from mm_memgpt.perception import Watched
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.training.hearing import sound_of
from mm_memgpt.training.recipe import Source
from mm_memgpt.training.sound_pieces import noise, over
from mm_memgpt.training.sources import reader_of
from mm_memgpt.training.speech import CLIPS, PROMPT, SPARED
from mm_memgpt.types import MODALITIES, Features, InputError, Sample

TEST = "video/grid_s1_test.parquet"
RATE = 16_000
SENSES = {"sound": ("audio",), "lips": ("image",), "both": ("image", "audio")}
NOISES = {"quiet": None, "0 dB": 0.0}
PAIRS = ((("both", "0 dB"), ("sound", "0 dB")), (("both", "0 dB"), ("lips", "quiet")))
"""What is compared, clip by clip: noise leaves lips as they are."""

BEAMS = 4


class Answers(NamedTuple):
    """Of each way of perceiving, the answer to each clip; and what was said."""

    written: dict[str, list[str]]
    said: list[list[str]]


def clips_of(data: Path, part: str) -> Sequence[Sample]:
    """The clips of a part: those that training spared, or the test's."""
    return read(data / TEST) if part == "test" else reader_of(str(data), Source(path=CLIPS, spared=SPARED))


def name_of(senses: str, loudness: str) -> str:
    """How a way of perceiving is called."""
    return f"{senses}, {loudness}"


class Listener:
    """A model that watches clips closely.

    Raises:
        InputError: it sees no motion, or hears nothing.
    """

    def __init__(self, model: Pipeline) -> None:
        if model.model.motion_encoder is None or model.model.audio_encoder is None:
            raise InputError("this model cannot hear and look closely; give one whose config has audio and motion")
        self.model, self.perception = model, model._perception

    @torch.inference_mode()
    def answers(self, sample: Sample) -> Iterator[tuple[str, str]]:
        """Each way of perceiving a clip, with the answer."""
        watched = join(list(self.perception.watch(sample.clip, how=Watched(region="motion"))))
        kinds = [MODALITIES[number] for number in watched.modality[0].tolist()]
        seen = of_kind(watched, kinds, "image")
        for loudness, decibels in NOISES.items():
            heard = of_kind(watched, kinds, "audio") if decibels is None else self._heard(sample, decibels)
            for senses, wanted in SENSES.items():
                if decibels is not None and "audio" not in wanted:
                    continue
                parts = [part for kind, part in (("image", seen), ("audio", heard)) if kind in wanted]
                items = by_time(join(parts))
                state = self.model.bank.write(self.model.bank.empty(device=self.model.device), items)
                yield name_of(senses, loudness), self.model.answer_each(self.model.fuse(state), PROMPT, BEAMS)[0].text

    def _heard(self, sample: Sample, decibels: float) -> Features:
        sound = sound_of(sample)
        noisy = over(sound, noise(len(sound), False, Random(f"benchmark {sample.source}")), decibels)
        noisy = noisy / noisy.abs().max().clamp_min(1)
        return join(list(self.perception.hear((noisy, RATE), 0, 0.0)))


def of_kind(items: Features, kinds: Sequence[str], kind: str) -> Features:
    """The items (1, n) of one kind."""
    return reorder(items, torch.tensor([[place for place, each in enumerate(kinds) if each == kind]]))


def measure(name: str, given: argparse.Namespace) -> Answers:
    """What a model answers, from the output folder where these weights have watched these clips before."""
    file = given.output / f"{digest(find(name) / 'model.safetensors')}-{given.part}-{given.limit}.json"
    if not file.exists():
        listener, written, said = Listener(load(name, device="cpu")), {}, []
        clips = clips_of(given.data, given.part)
        for number in range(min(given.limit, len(clips))):
            sample = clips[number]
            said.append([word for word, _, _ in sample.words])
            for way, answer in listener.answers(sample):
                written.setdefault(way, []).append(answer)
        given.output.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"written": written, "said": said}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(file)
    return Answers(**json.loads(file.read_text(encoding="utf-8")))


def places(answer: str, said: Sequence[str]) -> list[bool]:
    """Of each word that was said whether it stands right at its own place of an answer."""
    written = words_of(answer) + [""] * len(said)
    return [one == other for one, other in zip(written, said, strict=False)]


def right(written: Sequence[str], said: Sequence[Sequence[str]]) -> np.ndarray:
    """Words of each clip that stand right at their own place, and how many there are, (n, 2)."""
    rows = [places(answer, words) for answer, words in zip(written, said, strict=True)]
    return np.array([[sum(row), len(row)] for row in rows], float)


def words_of(answer: str) -> list[str]:
    """The words of an answer, without its case and full stop."""
    return answer.lower().rstrip(".").split()


def guessed(data: Path) -> Callable[[int], list[str]]:
    """The most common word of each place in training: what can be said without perceiving anything."""
    rows = read(data / CLIPS).values("words")
    places: list[Counter[str]] = [Counter() for _ in range(6)]
    for row in rows:
        for place, word in zip(places, row["words"], strict=True):
            place[word] += 1
    common = [place.most_common(1)[0][0] for place in places]
    return lambda count: [" ".join(common)] * count


def share(sums: np.ndarray) -> Score:
    """Words right over words."""
    return bootstrap(sums, lambda total: total[:, :1] / total[:, 1:])[0]


def lead(ours: np.ndarray, theirs: np.ndarray) -> Score:
    """By how much one share of the same clips' words is above another."""
    return share(np.stack([ours[:, 0] - theirs[:, 0], ours[:, 1]], axis=1))


def table(name: str, answers: Answers, guess: Callable[[int], list[str]], against: Answers | None) -> str:
    """A model's figures in Markdown."""
    sums = {way: right(written, answers.said) for way, written in answers.written.items()}
    head = ["perceived", "words right", *([] if against is None else ["ahead of the other model by"])]
    lines = [f"## {name}, {len(answers.said)} clips", "", f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for way, each in sums.items():
        other = [] if against is None else [cell(lead(each, right(against.written[way], against.said)))]
        lines.append(f"| {' | '.join([way, cell(share(each)), *other])} |")
    nothing = right(guess(len(answers.said)), answers.said)
    lines.append(f"| nothing: the most common words | {cell(share(nothing))} |{' |' if against else ''}")
    for one, other in PAIRS:
        ahead = lead(sums[name_of(*one)], sums[name_of(*other)])
        lines.append(f"| {name_of(*one)}, ahead of {name_of(*other)} by | {cell(ahead)} |{' |' if against else ''}")
    pairs = zip(answers.written["both, quiet"], answers.said, strict=True)
    by_place = np.mean([places(answer, words) for answer, words in pairs], axis=0)
    lines += ["", "both, quiet, by place: " + " ".join(f"{value:.2f}" for value in by_place)]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="*", default=["nano"], help="names or folders of models; default: nano")
    parser.add_argument("--against", help="another model that each is compared with")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--part", choices=("val", "test"), default="val", help="whose clips; default: val")
    parser.add_argument("--limit", type=int, default=1000, help="only the first so many clips")
    parser.add_argument("--output", type=Path, default=Path("runs/speech"), help="answers")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    status = 0
    for name in given.models:
        try:
            against = None if given.against is None else measure(given.against, given)
            print(table(name, measure(name, given), guessed(given.data), against), flush=True)
        except (InputError, ImportError) as error:
            print(f"error: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
