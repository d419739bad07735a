"""LoCoMo: which turns of a long conversation answer a question? Plain BM25, keys, and a memory's own search.

    python -m benchmarks.locomo --data ../shared/data --output runs/locomo --write

Notable: a turn goes into the memory as anybody would put it there, its speaker's name ahead of each sentence and the
caption of its picture behind; how far the words around a sentence count was chosen on three conversations, but the
five others were looked at meanwhile, so they are not untouched; adversarial questions, which ask one speaker for what
the other said, stand apart.

q questions   n turns   k key width
"""

import argparse
import json
import re
import sys
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mm_memgpt.datasets.document import split
from mm_memgpt.datasets.table import read_table
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.memory.archive_search import fuse
from mm_memgpt.tasks.lexical import BM25
from mm_memgpt.types import Text

FIRST = 5
DEEP = 40
"""Sentences that a search gives, so that there are five turns among them."""

CHOSEN_ON = ("26", "41", "42")
"""Conversations on which the rule was chosen."""

KINDS = {1: "several turns", 2: "when", 3: "open", 4: "one turn", 5: "adversarial"}
ADVERSARIAL = 5
EVIDENCE = re.compile(r"D\d+:\d+")
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks_locomo.md"


class Asked(NamedTuple):
    """A question, and the places of the turns that answer it."""

    question: str
    kind: int
    evidence: frozenset[int]


class Conversation(NamedTuple):
    """Its turns and what is asked about them."""

    name: str
    turns: list[dict[str, Any]]
    asked: list[Asked]


Rank = Callable[[Conversation], list[list[int]]]
"""The places of turns for each question, the best first."""


def conversations(data: Path) -> Iterator[Conversation]:
    """All of them; a question whose evidence is not among the turns is left out."""
    turns: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(str(data / "memory" / "locomo_turns.parquet")):
        turns.setdefault(str(row["conversation"]), []).append(row)
    asked: dict[str, list[Asked]] = {name: [] for name in turns}
    for row in read_table(str(data / "memory" / "locomo_qa.parquet")):
        name = str(row["conversation"])
        places = {turn["dia_id"]: place for place, turn in enumerate(turns[name])}
        named = (found for each in row["evidence"] for found in EVIDENCE.findall(each))
        evidence = frozenset(places[each] for each in named if each in places)
        if evidence:
            asked[name].append(Asked(row["question"], int(row["category"]), evidence))
    return (Conversation(name, turns[name], asked[name]) for name in sorted(turns))


def said(turn: dict[str, Any]) -> str:
    """A turn as a text: who said it, what, and what the picture shows."""
    shown = f" (a picture: {turn['image_caption']})" if turn["image_caption"] else ""
    return f"{turn['speaker']}: {turn['text']}{shown}"


def kept(turn: dict[str, Any]) -> list[str]:
    """The sentences of a turn, each with the name of who said it."""
    name = f"{turn['speaker']}:"
    return [each if each.startswith(name) else f"{name} {each}" for each in split(said(turn))]


def second(turn: dict[str, Any]) -> float:
    """When a turn was said: a minute behind the one before it."""
    return datetime.strptime(turn["date_time"], "%I:%M %p on %d %B, %Y").timestamp() + 60 * int(turn["turn"])


def by_words(conversation: Conversation) -> list[list[int]]:
    """Plain BM25 of whole turns."""
    search = BM25([said(turn) for turn in conversation.turns])
    return [np.argsort(-search(each.question), kind="stable").tolist() for each in conversation.asked]


class Memories:
    """The conversations in memories of nano, and the ways to search them."""

    def __init__(self, folder: Path) -> None:
        from mm_memgpt.pipeline import load

        self.pipeline, self.folder = load("nano"), folder

    def rank(self, way: str) -> Rank:
        """One of the ways: key, words, search, recall."""

        def ranked(conversation: Conversation) -> list[list[int]]:
            starts = [second(turn) for turn in conversation.turns]
            order = np.argsort(starts, kind="stable").tolist()
            begun = [starts[place] for place in order]
            with self.opened(conversation, starts) as memory:
                found = (self.found(memory, each.question, way) for each in conversation.asked)
                places = [[order[bisect_right(begun, start) - 1] for start in each] for each in found]
            return [list(dict.fromkeys(each)) for each in places]

        return ranked

    def found(self, memory: Any, question: str, way: str) -> list[float]:
        """When the sentences that are found were said, the best first."""
        if way in ("recall", "search"):
            return [hit.start for hit in getattr(memory, way)(question, DEEP)]
        archive = memory.store.archive
        wanted = {"text": question} if way == "words" else {"key": memory._perceiver.text_key(question)}
        return [found.item.start for found in archive.search(**wanted, k=DEEP)]

    def opened(self, conversation: Conversation, starts: Sequence[float]) -> Any:
        """The memory of a conversation, made where it is not there."""
        place = self.folder / conversation.name
        there = place.exists()
        memory = self.pipeline.memory(place)
        if not there:
            texts = [Text(each) for turn in conversation.turns for each in kept(turn)]
            times = [
                start + step / 10
                for turn, start in zip(conversation.turns, starts, strict=True)
                for step in range(len(kept(turn)))
            ]
            sources = [f"session {turn['session']}" for turn in conversation.turns for _ in kept(turn)]
            memory.add(texts, times, sources)
        return memory


def by_minilm(conversation: Conversation) -> list[list[int]]:
    """Keys of whole turns by MiniLM as it comes."""
    from mm_memgpt.backbones.base import Inputs
    from mm_memgpt.backbones.build import build
    from mm_memgpt.tasks.model import create
    from mm_memgpt.tasks.retrieval import Retrieval

    model = create(build("minilm", longest=96), Retrieval({"text": "asked", "text_pair": "found"})).eval()
    found = model.task.keys_of(model, [Inputs(text_pair=said(turn)) for turn in conversation.turns], "found")
    asked = model.task.keys_of(model, [Inputs(text=each.question) for each in conversation.asked], "asked")
    return (asked @ found.T).argsort(dim=1, descending=True, stable=True).tolist()


def fused(*rankings: Sequence[Sequence[int]]) -> list[list[int]]:
    """Rankings of the same questions by reciprocal rank."""
    return [list(fuse(*(ranking[:DEEP] for ranking in each))) for each in zip(*rankings, strict=True)]


ROWS = {
    "bm25": "plain BM25, whole turns",
    "key": "nano's key alone",
    "words": "words in the memory's index",
    "search": "`Memory.search` (key and words)",
    "recall": "`Memory.recall` (words, and those around)",
    "minilm": "MiniLM's key, whole turns",
    "minilm+bm25": "MiniLM and plain BM25, fused",
    "minilm+recall": "MiniLM and `Memory.recall`, fused",
}
"""Ways to search, as the table calls them."""


def measured(names: Sequence[str], data: Path, folder: Path) -> dict[str, dict[str, list[list[int]]]]:
    """Of each row and conversation the first turns found for each question; what is in the folder is not found anew."""
    kept_in, memories = folder / "found.json", None
    found = json.loads(kept_in.read_text(encoding="utf-8")) if kept_in.exists() else {}
    for conversation in conversations(data):
        for name in names:
            own = found.setdefault(name, {})
            if conversation.name in own:
                continue
            started = time.monotonic()
            if "+" in name:
                ranking = fused(*(found[part][conversation.name] for part in name.split("+")))
            elif name in ("bm25", "minilm"):
                ranking = {"bm25": by_words, "minilm": by_minilm}[name](conversation)
            else:
                memories = memories or Memories(folder / "memories")
                ranking = memories.rank(name)(conversation)
            own[conversation.name] = [each[:DEEP] for each in ranking]
            kept_in.write_text(json.dumps(found), encoding="utf-8")
            print(f"{name}, conversation {conversation.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return found


def scores(found: dict[str, list[list[int]]], chosen: Sequence[Conversation], kinds: Sequence[int]) -> list[Score]:
    """Share of questions of some kinds with evidence among the first turns, and share of the evidence found there."""
    rows = []
    for conversation in chosen:
        for asked, places in zip(conversation.asked, found[conversation.name], strict=True):
            if asked.kind in kinds:
                hits = len(asked.evidence.intersection(places[:FIRST]))
                rows.append([hits > 0, hits, len(asked.evidence), 1])
    return bootstrap(
        np.array(rows, dtype=np.float64),
        lambda totals: np.column_stack([totals[:, 0] / totals[:, 3], totals[:, 1] / totals[:, 2]]),
    )


def table(found: dict[str, dict[str, list[list[int]]]], talks: Sequence[Conversation]) -> list[str]:
    """A line a row: all conversations, those that nothing was chosen on, the kinds of question, the adversarial."""
    plain = [kind for kind in KINDS if kind != ADVERSARIAL]
    others = [talk for talk in talks if talk.name not in CHOSEN_ON]
    head = ["search", "all", "evidence turns", "chosen on", "the others", *KINDS.values()]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, title in ROWS.items():
        if set(found.get(name, ())) != {talk.name for talk in talks}:
            continue
        own = found[name]
        every, turns = scores(own, talks, plain)
        cells = [interval(every), interval(turns)]
        cells += [f"{scores(own, [talk for talk in talks if talk not in others], plain)[0].value:.3f}"]
        cells += [interval(scores(own, others, plain)[0])]
        cells += [f"{scores(own, talks, [kind])[0].value:.2f}" for kind in KINDS]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def interval(score: Score) -> str:
    """A figure with its 95% interval."""
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def page(lines: Sequence[str], talks: Sequence[Conversation]) -> str:
    """The section of the page."""
    plain = sum(asked.kind != ADVERSARIAL for talk in talks for asked in talk.asked)
    apart = sum(asked.kind == ADVERSARIAL for talk in talks for asked in talk.asked)
    turns = sum(len(talk.turns) for talk in talks)
    return "\n".join(
        [
            "# A long conversation",
            "",
            f"Which turns answer a question about a conversation of weeks? LoCoMo: {len(talks)} conversations, "
            f"{turns:,} turns, {plain:,} questions and {apart} adversarial ones apart. Share of questions with "
            f"evidence among the first {FIRST} turns found, and share of all evidence turns found there, with 95% "
            f"intervals over the questions. How far a sentence's neighbours count was chosen on conversations "
            f"{', '.join(CHOSEN_ON)}; the others were looked at meanwhile, too.",
            "",
            *lines,
            "",
            "```bash",
            "python -m benchmarks.locomo --data ../shared/data --output runs/locomo --write",
            "```",
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="where memories and what was found are kept")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    found = measured(options.rows, options.data, options.output)
    talks = list(conversations(options.data))
    lines = table(found, talks)
    print("\n".join(lines))
    if options.write:
        PAGE.write_text(page(lines, talks), encoding="utf-8")


if __name__ == "__main__":
    main()
