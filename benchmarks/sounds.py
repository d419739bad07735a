"""How often is a sound told rightly that was not learned from? ESC-10 fold by fold, and spoken digits: one table.

    python -m benchmarks.sounds                               trains on three folds and hears the fourth, four times
    python -m benchmarks.sounds --folds 1 --set optimiser.epochs=1        tries it on one, briefly
    python -m benchmarks.sounds --test                        hears the spoken digits of the test as well
    python -m benchmarks.sounds --write                       teaches nano to write of each fold's sounds, and reads it
    python -m benchmarks.sounds --model nano --folds 4 --test only reads what a model writes, as a user would ask it

Notable: neither trunk nor teacher hears anything of the fourth fold while the trunk learns, nor does what writes; a
clip is told by the mean over its pieces of the log-probabilities of the label head, among all labels, digits too, or by
the one class that a written sentence names; what is done is kept and never done again, a killed run goes on.

n clips   k labels   e embedding of the teacher
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from benchmarks.errors import tells_errors
from benchmarks.features import digest
from mm_memgpt.config import AudioConfig
from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.sound import RATE, pieces
from mm_memgpt.datasets.templates import digit_word, read_digit, read_sound
from mm_memgpt.encoders.audio import create_trunk
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.knowledge.sound_teacher import SoundTeacher
from mm_memgpt.models.loading import find
from mm_memgpt.objectives.hearing import TrunkHearing
from mm_memgpt.pipeline import Pipeline, load
from mm_memgpt.training.hearing import audio_config, label_of, sound_of
from mm_memgpt.training.mixture import KINDS
from mm_memgpt.training.recipe import Recipe, read_recipe
from mm_memgpt.training.run import last_checkpoint, train
from mm_memgpt.training.sound_pieces import audible
from mm_memgpt.training.sources import reader_of
from mm_memgpt.training.weights import load_trunk
from mm_memgpt.types import InputError, Sample

FOLDS = (1, 2, 3, 4)
CLIPS, DIGITS = "esc10/folds1to4.parquet", "fsdd/test.parquet"
HEAD = ("| what | sounds | right |", "|---|---:|---:|")


class Ears:
    """A trunk and the label head beside it, as a hearing run kept them."""

    def __init__(self, folder: Path, config: AudioConfig, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self.model = TrunkHearing(create_trunk(config), config, 1, 1, len(self.labels)).eval()
        load_trunk(self.model.trunk, folder / "audio_trunk.safetensors", "audio_trunk", "hearing run")
        self.model.label_head.load_state_dict(load_file(folder / "label_head.safetensors"))

    @torch.inference_mode()
    def say(self, sound: Tensor) -> str:
        """The likeliest label of a sound (t)."""
        heard = self.model.label_head(self.model.pooled(audible_pieces(sound, self.model.audio.seconds)))  # (n, k)
        return self.labels[heard.log_softmax(1).mean(0).argmax()]


def audible_pieces(sound: Tensor, seconds: float) -> Tensor:
    """The pieces of a sound that are not all but silent."""
    items, _ = pieces(sound, seconds=seconds)
    return items[audible(items)]


class Results:
    """What is known so far, in one file, with the recipe that it belongs to.

    Raises:
        InputError: the file belongs to another recipe.
    """

    def __init__(self, given: argparse.Namespace) -> None:
        self.file = given.output / "results.json"
        self.known: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else {}
        budget = {"recipe": digest(given.recipe), "set": sorted(given.set)}
        if self.known.setdefault("budget", budget) != budget:
            raise InputError(f"{self.file}: of another recipe or other --set; give --output another folder")

    def keep(self, name: str, told: list[str]) -> list[str]:
        self.known[name] = told
        self.file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(self.known, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(self.file)
        return told


def learned(fold: int, recipe: Recipe, given: argparse.Namespace) -> Ears:
    """The ears that have heard all folds but one, from an earlier run or trained now."""
    folder = given.output / f"without-{fold}"
    if not (folder / "report.json").exists():  # written last
        changes = [*overrides(given), without(fold, recipe), f"output={folder}"]
        train(given.recipe, changes, resume=last_checkpoint(folder) is not None)
    return Ears(folder, audio_config(recipe), recipe.labels)


def without(fold: int, recipe: Recipe) -> str:
    """The change of the recipe that leaves a fold out.

    Raises:
        InputError: the recipe does not learn from the clips.
    """
    numbers = [number for number, source in enumerate(recipe.data.train) if source.path == CLIPS]
    if len(numbers) != 1:
        raise InputError(f"{CLIPS}: {len(numbers)} training sources of the recipe; list it once, to leave folds out")
    others = [each for each in FOLDS if each != fold]
    return f"data.train.{numbers[0]}.where={{fold: {others}}}"


def overrides(given: argparse.Namespace) -> list[str]:
    """What the command line changes of the recipe."""
    return [*given.set, f"data.root={given.data}"]


def told(results: Results, name: str, ears: Ears, samples: Iterator[Sample]) -> list[str]:
    """What the ears say of each sample; what an earlier run has found is not found again."""
    if name in results.known:
        return results.known[name]
    return results.keep(name, [ears.say(sound_of(sample)) for sample in samples])


def writer(fold: int, given: argparse.Namespace) -> Pipeline:
    """nano with the ears that have not heard a fold, taught to write of the others' sounds, from an earlier run or now.

    Of the recipe of memories only the lone sounds are learned, so it takes minutes and not an hour.
    """
    folder = given.output / f"writes-without-{fold}"
    if not (folder / "report.json").exists():
        *learned_from, chosen_by = (each for each in FOLDS if each != fold)
        changes = [
            *(f"remember.{kind}={1 if kind == 'sounds' else 0}" for kind in KINDS),
            f"remember.folds={learned_from}",
            f"remember.val_folds=[{chosen_by}]",
            f"audio_trunk={given.output / f'without-{fold}' / 'audio_trunk.safetensors'}",
            *("motion=null", "motion_encoder=null", f"data.root={given.data}", f"output={folder}"),
            *("remember.samples=1600", "optimiser.epochs=2", "checkpoints=2", "data.val_samples=64"),
            *given.write_set,
        ]
        train(given.write_recipe, changes, resume=last_checkpoint(folder) is not None)
    return load(folder, device="cpu")


def read_off(results: Results, name: str, model: Pipeline, samples: Sequence[Sample]) -> list[str]:
    """The label that the model's sentence about each sample names, "" where it names none or several."""
    if name in results.known:
        return results.known[name]
    found = []
    for sample in samples:
        text = model.caption((sound_of(sample), RATE)).text
        digit = read_digit(text)
        found.append(read_sound(text) or ("" if digit is None else digit_word(digit)))
    return results.keep(name, found)


def nearest(results: Results, teacher: SoundTeacher, clips: Sequence[tuple[int, Sample]]) -> list[str]:
    """What the teacher's embedding says of each clip (fold and sample): the class in the other folds that is nearest.

    Of a clip the mean over its pieces, of a class over its clips, compared by the cosine; nothing is trained.
    """
    if "nearest" in results.known:
        return results.known["nearest"]
    folds, names = np.array([fold for fold, _ in clips]), np.array([label_of(sample) for _, sample in clips])
    seconds = teacher.samples / 16_000
    heard = [[teacher(each.numpy())[0] for each in audible_pieces(sound_of(clip), seconds)] for _, clip in clips]
    means = np.stack([np.mean(each, axis=0) for each in heard])  # (n, e)
    said = []
    for fold, mean in zip(folds, means, strict=True):
        classes = sorted(set(names[folds != fold]))
        centres = np.stack([means[(folds != fold) & (names == name)].mean(0) for name in classes])
        said.append(classes[(centres @ mean / np.linalg.norm(centres, axis=1)).argmax()])
    return results.keep("nearest", said)


def share(right: Sequence[float]) -> Score:
    """Mean of what is right, with its interval over the sounds."""
    sums = np.stack([np.asarray(right, float), np.ones(len(right))], axis=1)
    return bootstrap(sums, lambda total: total[:, :1] / total[:, 1:])[0]


def line(what: str, right: Sequence[float]) -> str:
    """A row of the table."""
    score = share(right)
    return f"| {what} | {len(right)} | {score.value:.3f} ({score.low:.3f} to {score.high:.3f}) |"


def compare(given: argparse.Namespace) -> list[str]:
    """The rows of the table."""
    recipe, results = read_recipe(given.recipe, overrides(given)), Results(given)
    parts = {"validation": reader_of(recipe.data.root, recipe.data.val)}
    if given.test:
        parts["test"] = read(given.data / DIGITS)
    due = {part: [label_of(sample) for sample in reader] for part, reader in parts.items()}
    rows, clips, right, written, digits = [], [], [], [], {part: [] for part in parts}
    for fold in given.folds:
        held_out = read(given.data / CLIPS, where={"fold": fold})
        ears = learned(fold, recipe, given)
        said = told(results, f"fold-{fold}", ears, iter(held_out))
        clips += [(fold, sample) for sample in held_out]
        right += [one == label_of(sample) for one, (_, sample) in zip(said, clips[-len(said) :], strict=True)]
        rows.append(line(f"ESC-10, fold {fold}", right[-len(said) :]))
        if given.write:
            said = read_off(results, f"written-{fold}", writer(fold, given), held_out)
            written += [one == label_of(sample) for one, sample in zip(said, held_out, strict=True)]
            rows.append(line(f"ESC-10, fold {fold}, written", written[-len(said) :]))
        for part, reader in parts.items():
            said = told(results, f"{part}-{fold}", ears, iter(reader))
            digits[part].append([one == other for one, other in zip(said, due[part], strict=True)])
    if set(given.folds) == set(FOLDS):
        rows.append(line("ESC-10, all of them", right))
        if given.write:
            rows.append(line("ESC-10, all of them, written", written))
        peer = nearest(results, SoundTeacher(given.data / recipe.teacher), clips)
        mean = [one == label_of(sample) for one, (_, sample) in zip(peer, clips, strict=True)]
        rows.append(line("ESC-10, by the teacher's embedding: the nearest class's mean", mean))
    for part, each in digits.items():
        rows.append(line(f"spoken digits, {part}, mean over the folds' ears", np.mean(each, axis=0)))
    return rows


def ask(given: argparse.Namespace) -> list[str]:
    """The rows of a table of what one model writes."""
    model, rows, results = load(given.model, device="cpu"), [], Results(given)
    weights = digest(find(given.model) / "model.safetensors")
    parts = {f"ESC-10, fold {fold}": read(given.data / CLIPS, where={"fold": fold}) for fold in given.folds}
    if given.test:
        parts["spoken digits, test"] = read(given.data / DIGITS)
    for part, reader in parts.items():
        said = read_off(results, f"{weights} {part}", model, reader)
        rows.append(line(f"{part}, written", [one == label_of(each) for one, each in zip(said, reader, strict=True)]))
    return rows


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folds", nargs="+", type=int, choices=FOLDS, default=list(FOLDS), help="each left out once")
    parser.add_argument("--test", action="store_true", help="hear the spoken digits of the test, too")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/ears.yaml"), help="how the ears learn")
    parser.add_argument(
        "--set", action="append", default=[], help="change a key of the recipe, as mm-memgpt train does"
    )
    parser.add_argument("--write", action="store_true", help="teach nano to write of each fold's sounds, and read it")
    parser.add_argument("--write-recipe", type=Path, default=Path("recipes/remember.yaml"), help="how that is taught")
    parser.add_argument("--write-set", action="append", default=[], help="change a key of that recipe")
    parser.add_argument("--model", help="read what this one writes, and train nothing")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--output", type=Path, default=Path("runs/sounds"), help="weights and figures")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = compare(given) if given.model is None else ask(given)
    print("\n".join([*HEAD, *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
