"""Key-value pairs among filler: is what a long text stated once still known at its end, from a bounded memory?

    python -m benchmarks.long_pairs --model runs/pairs --data ../shared/data --write

Notable: right is the whole value, three digits, as the likeliest tokens, so a guess is right once in a thousand; names
and authors are others than in training; the sliding window is the same decoder over the last sentences of a training
length, each in a slot of its own, so the two differ in nothing but what is remembered.

b texts   n sentences   r questions
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from benchmarks.errors import tells_errors
from benchmarks.recall import interval
from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.pairs_among_filler import CHANCE, PairsText, make_text
from mm_memgpt.evaluation.bootstrap import bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.models.loading import find, read_model
from mm_memgpt.objectives.remembering import answer_logits, right
from mm_memgpt.pipeline import load
from mm_memgpt.training.items import Texts
from mm_memgpt.training.recalling import filler_of
from mm_memgpt.types import MODALITIES, Features, MemoryState

BLOCK = 100
"""Sentences that are written at a time; what the bank keeps does not depend on it."""

TOGETHER = 8
"""Questions that are answered at a time."""

DISTANCES = (0.5, 2, 10, 30, 99)
"""Training lengths from a pair to the question, of the table by distance."""

BANK, WINDOW, ARCHIVE = "bank alone", "sliding window", "bank and archive"


class Reader:
    """A model, and each sentence that it has read, which is encoded once."""

    def __init__(self, folder: str) -> None:
        self.model, processor = read_model(find(folder))
        self.model.float().eval()
        self.texts = Texts(processor.tokenizer, self.model.begin(1).item(), 64)
        self.pad = processor.tokenizer.pad_token_id
        self.known: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    @torch.inference_mode()
    def learn(self, sentences: Sequence[str]) -> None:
        """Encodes those that are new."""
        new = sorted({each for each in sentences if each not in self.known}, key=len)
        for start in range(0, len(new), BLOCK):
            part = new[start : start + BLOCK]
            tokens = [self.texts.note(each) for each in part]
            ids = pad_sequence(tokens, batch_first=True, padding_value=self.pad)
            mask = pad_sequence([torch.ones_like(each) for each in tokens], batch_first=True)
            features = self.model.read_text(ids, mask)
            for number, each in enumerate(part):
                self.known[each] = tuple(field[number, 0] for field in (features.tokens, features.mask, features.key))

    def features(self, texts: Sequence[PairsText], begin: int, end: int) -> Features:
        """Sentences `begin` to `end` of texts of one length, a second each."""
        rows = [[self.known[each] for each in text.sentences[begin:end]] for text in texts]
        tokens, mask, key = (
            torch.stack([torch.stack([each[part] for each in row]) for row in rows]) for part in range(3)
        )
        place = torch.arange(begin, begin + tokens.shape[1]).expand(len(texts), -1)
        time = torch.stack([place, place + 1], dim=-1).double()
        return Features(tokens, mask, key, time, torch.full_like(place, MODALITIES.index("text")), place)

    @torch.inference_mode()
    def read(self, texts: Sequence[PairsText], begin: int = 0) -> MemoryState:
        """A memory of each text, from a sentence on."""
        self.learn([each for text in texts for each in text.sentences[begin:]])
        state, length = self.model.bank.empty(len(texts)), len(texts[0].sentences)
        for start in range(begin, length, BLOCK):
            state = self.model.bank.write(state, self.features(texts, start, min(length, start + BLOCK)))
        return state

    @torch.inference_mode()
    def answers(self, texts: Sequence[PairsText], state: MemoryState, asked: Sequence[tuple[int, int]]) -> list[bool]:
        """Whether each question, the number of a text and of its pair, is answered rightly from a memory of it."""
        fused, found = self.model.fuser(state), []
        for start in range(0, len(asked), TOGETHER):
            part = asked[start : start + TOGETHER]
            pairs = [texts[text].pairs[pair] for text, pair in part]
            written = [self.texts(pair.value, pair.question) for pair in pairs]
            bunch = {
                "input_ids": left([each.tokens for each in written]),
                "attention_mask": left([torch.ones_like(each.tokens) for each in written]),
                "learned": left([torch.arange(len(each.tokens)) >= each.given for each in written]),
                "owner": torch.tensor([text for text, _ in part]),
            }
            logits = answer_logits(self.model, fused, bunch)
            text, learned = (bunch[name][:, -logits.shape[1] :] for name in ("input_ids", "learned"))
            found += right(logits, text, learned).tolist()
        return found


def left(rows: Sequence[Tensor]) -> Tensor:
    """Rows of several lengths, filled up on the left."""
    return pad_sequence(list(rows), batch_first=True, padding_side="left")


def chosen(texts: Sequence[PairsText], most: int) -> list[tuple[int, int]]:
    """The questions about texts: all of their pairs, or so many of each, spread over its length."""
    numbers = [np.linspace(0, len(text.pairs) - 1, min(most, len(text.pairs))).round().astype(int) for text in texts]
    return [(text, int(pair)) for text, each in enumerate(numbers) for pair in each]


def kept(texts: Sequence[PairsText], state: MemoryState, asked: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether what each question asks for still has a slot of its own."""
    return [texts[text].pairs[pair].place in state.source[text].tolist() for text, pair in asked]


def by_archive(folder: str, text: PairsText, asked: Sequence[int]) -> list[bool]:
    """Whether a memory as users have it, bank and archive, says the value of each pair that is asked for."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "text.txt"
        file.write_text("\n\n".join(text.sentences), encoding="utf-8")
        with load(folder).memory(Path(place) / "memory") as memory:
            memory.add(str(file))
            return [text.pairs[pair].value in memory.ask(text.pairs[pair].question).text for pair in asked]


def drawn(given: argparse.Namespace, filler: Sequence[str], multiple: int, pairs: int, count: int) -> list[PairsText]:
    """Texts of so many training lengths, with names that no training text had."""
    generator, length = Random(f"{given.seed}:{multiple}:{pairs}"), multiple * given.sentences
    return [make_text(generator, length, pairs, filler, test=True) for _ in range(count)]


def at_distances(given: argparse.Namespace, filler: Sequence[str]) -> list[PairsText]:
    """Texts of the greatest length with a pair at each of DISTANCES from their end."""
    generator, length = Random(f"{given.seed}:distances"), max(given.multiples) * given.sentences
    places = [length - round(each * given.sentences) for each in DISTANCES if each * given.sentences <= length]
    texts = max(1, given.questions // 4)
    return [make_text(generator, length, len(places), filler, True, places) for _ in range(texts)]


def measured(reader: Reader, given: argparse.Namespace, texts: Sequence[PairsText], most: int) -> dict:
    """What is right and what is kept of the questions about some texts, by the bank and by the window."""
    asked, state = chosen(texts, most), reader.read(texts)
    window = reader.read(texts, begin=len(texts[0].sentences) - given.sentences)
    return {
        BANK: reader.answers(texts, state, asked),
        WINDOW: reader.answers(texts, window, asked),
        "kept": kept(texts, state, asked),
        "distance": [
            (len(texts[0].sentences) - texts[text].pairs[pair].place) / given.sentences for text, pair in asked
        ],
        "slots": int((state.items > 0).sum(-1).max()),
    }


def measure(given: argparse.Namespace) -> dict:
    """All figures: by length and number of pairs, by distance, and of the archive."""
    samples = list(read(given.data / "text" / "books" / "val.parquet"))
    filler = filler_of(samples, given.characters)[: given.filler]
    reader, cells = Reader(given.model), []
    for pairs in given.pairs:
        texts = max(2, -(-given.questions // min(pairs, given.asked)))
        for multiple in given.multiples:
            if pairs > multiple * given.sentences // 2:
                continue
            started = time.monotonic()
            found = measured(reader, given, drawn(given, filler, multiple, pairs, texts), given.asked)
            cells.append({"pairs": pairs, "multiple": multiple, **found})
            told = f"{np.mean(found[BANK]):.2f} right, {np.mean(found['kept']):.2f} kept"
            print(
                f"{pairs} pairs, {multiple} lengths: {told}, {time.monotonic() - started:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    found = {"cells": cells, "distances": measured(reader, given, at_distances(given, filler), len(DISTANCES))}
    archived = []
    for multiple in given.archive:
        for text in drawn(given, filler, multiple, 4, 1):
            archived.append({"multiple": multiple, ARCHIVE: by_archive(given.model, text, range(4))})
    return found | {"archive": archived, "filler": len(filler)}


def share(right: Sequence[bool]) -> str:
    """How many are right, with a 95 % interval over the questions."""
    rows = np.column_stack([right, np.ones(len(right))])
    return interval(bootstrap(rows, lambda sums: sums[:, :1] / sums[:, 1:])[0])


def tables(found: dict, given: argparse.Namespace) -> list[str]:
    """By length and number of pairs, then by distance."""
    head = [
        "| pairs | training lengths | sentences | questions | right: bank alone | sliding window | a slot of its own |"
    ]
    head += ["|---:" * 7 + "|"]
    for cell in found["cells"]:
        asked = cell["multiple"] * given.sentences, len(cell[BANK])
        shares = share(cell[BANK]), share(cell[WINDOW]), f"{np.mean(cell['kept']):.2f}"
        head.append("| " + " | ".join([str(cell["pairs"]), str(cell["multiple"]), *map(str, asked), *shares]) + " |")
    far = found["distances"]
    head += ["", f"| distance, training lengths | questions | {BANK} | {WINDOW} |", "|---:" * 4 + "|"]
    for distance in DISTANCES:
        rows = [number for number, each in enumerate(far["distance"]) if abs(each - distance) < 0.1]
        if not rows:
            continue
        shares = (share([far[name][row] for row in rows]) for name in (BANK, WINDOW))
        head.append(f"| {distance} | {len(rows)} | {' | '.join(shares)} |")
    if found["archive"]:
        head += ["", f"| training lengths | questions | {ARCHIVE} |", "|---:" * 3 + "|"]
        head += [f"| {each['multiple']} | {len(each[ARCHIVE])} | {share(each[ARCHIVE])} |" for each in found["archive"]]
    return [*head, "", f"A guess is right once in {round(1 / CHANCE):,} questions."]


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="runs/pairs", help="what recipes/pairs.yaml wrote; default: %(default)s")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="the data's folder")
    parser.add_argument("--sentences", type=int, default=40, help="of a text in training; default: %(default)s")
    parser.add_argument("--multiples", type=int, nargs="+", default=[1, 3, 10, 30, 100], help="training lengths")
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 4, 16, 64], help="pairs of a text")
    parser.add_argument("--questions", type=int, default=32, help="a row, about; default: %(default)s")
    parser.add_argument("--asked", type=int, default=8, help="of one text, at most; default: %(default)s")
    parser.add_argument("--characters", type=int, default=200_000, help="of each novel that filler is taken from")
    parser.add_argument("--filler", type=int, default=2000, help="different sentences of it; default: %(default)s")
    parser.add_argument(
        "--archive", type=int, nargs="*", default=[1, 10, 100], help="lengths that a memory is asked at"
    )
    parser.add_argument("--seed", default="2026", help="of texts; default: %(default)s")
    parser.add_argument("--output", type=Path, default=Path("runs/long_pairs.json"), help="where the figures go")
    parser.add_argument("--write", action="store_true", help="put the tables into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_long_pairs.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = measure(given)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print("\n".join(tables(found, given)), flush=True)
    if given.write:
        replace_sections(given.page, {"pairs": "\n".join(tables(found, given))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
