"""Scenes and their questions for a person to read, and a table of how far one gets without looking.

    python -m mm_memgpt.datasets.question_table DATA --scenes 20 --questions 20000

Notable: of each kind the table says how often its most common answer is right, and how often that is right which
training's questions in the very same wording have most often: as far as a model gets that sees and hears nothing.
"""

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.datasets.pools import PARTS, Pools, read_pools
from mm_memgpt.datasets.questions import KINDS, Question, ask
from mm_memgpt.datasets.scenes import Item, Scene, make_scene

KNOWN = 3
"""Questions of one wording from which its most common answer is known; below, that of the kind is taken."""


class Share(NamedTuple):
    """How questions of one kind, or of all, are answered without looking; shares from 0 to 1."""

    kind: str
    count: int
    answers: int
    """Different answers."""
    most: str
    """The most common answer."""
    majority: float
    """Share of the questions that it answers."""
    wording: float
    """Share of the questions answered by what earlier ones of the same wording most often answer."""


def make_questions(pools: Pools, count: int, seed: str, held_out: bool | None = False) -> Iterator[Question]:
    """`count` questions, each about a scene of its own; scenes that settle none are passed over."""
    number = 0
    while count:
        generator = Random(f"{seed} {number}")
        question = ask(make_scene(generator, pools), generator, held_out)
        number += 1
        if question is not None:
            count -= 1
            yield question


def shares(questions: Sequence[Question], earlier: Iterable[Question]) -> list[Share]:
    """A line for all questions, and one for each kind; the wording's answers are learned from the earlier ones."""
    known: dict[str, Counter[str]] = {}
    for question in earlier:
        for key in (question.text, question.kind):
            known.setdefault(key, Counter())[question.answer] += 1
    lines = []
    for kind in ("all", *KINDS):
        chosen = [question for question in questions if kind in ("all", question.kind)]
        answers = Counter(question.answer for question in chosen)
        if chosen:
            [(most, times)] = answers.most_common(1)
            right = sum(_guess(known, question) == question.answer for question in chosen)
            lines.append(Share(kind, len(chosen), len(answers), most, times / len(chosen), right / len(chosen)))
    return lines


def _guess(known: dict[str, Counter[str]], question: Question) -> str | None:
    for key, least in ((question.text, KNOWN), (question.kind, 1)):
        answers = known.get(key, Counter())
        if answers.total() >= least:
            return answers.most_common(1)[0][0]
    return None


def table(lines: Iterable[Share]) -> str:
    """The shares as a table in Markdown."""
    rows = [
        f"| {line.kind} | {line.count} | {line.answers} | {line.most} | {line.majority:.3f} | {line.wording:.3f} |"
        for line in lines
    ]
    head = "| kind | questions | answers | most common | its share | known from the wording |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def show(scene: Scene, captions: Sequence[Sequence[str]], generator: Random) -> str:
    """A scene's items and one question of each kind that it settles, one a line."""
    lines = [f"  {item.start:6.1f} - {item.end:5.1f} s  {_told(item, captions)}" for item in scene.items]
    for kind in KINDS:
        question = ask(scene, generator, held_out=None, kind=kind)
        if question is not None:
            lines.append(f"    {kind}: {question.text} {question.answer}{' (held out)' if question.held_out else ''}")
    return "\n".join(lines)


def _told(item: Item, captions: Sequence[Sequence[str]]) -> str:
    if item.photo is not None:
        row, facts = item.photo
        return f"photo  {captions[row.number][0]} [{', '.join(sorted(facts.named))}; {facts.who}, {facts.what}]"
    if item.note is not None:
        return f"note   {item.note.text}"
    return f"sound  {item.sound.label}" if item.sound is not None else f"digit  {item.digit.label}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints what the command line asks for."""
    parser = ArgumentParser(description="Scenes and questions to read, and how far one gets without looking.")
    parser.add_argument("data", type=Path, help="folder of the data")
    parser.add_argument("--part", choices=PARTS, default="train", help="whose items are drawn from; default: train")
    parser.add_argument("--scenes", type=int, default=20, metavar="N", help="scenes to print; default: 20")
    parser.add_argument("--questions", type=int, default=20_000, metavar="N", help="in the table; default: 20000")
    parser.add_argument("--held-out", action="store_true", help="only combinations that are kept for the test")
    parser.add_argument("--seed", default="table", help="any text; default: table")
    chosen = parser.parse_args(arguments)
    pools = read_pools(chosen.data, chosen.part)
    reader = ParquetReader(chosen.data / pools.photos[0].row.file)
    captions = [row["captions"] for row in reader.values("captions")]
    for number in range(chosen.scenes):
        generator = Random(f"{chosen.seed} {number}")
        print(f"scene {number}", show(make_scene(generator, pools), captions, generator), sep="\n")
    if chosen.questions:
        earlier = make_questions(read_pools(chosen.data, "train"), chosen.questions, f"{chosen.seed} earlier")
        questions = list(make_questions(pools, chosen.questions, chosen.seed, chosen.held_out))
        print(table(shares(questions, earlier)))


if __name__ == "__main__":
    main()
