"""The pieces of a sound as HTML: when each was, what the model writes of it by itself, and how much it mattered.

Notable: what mattered is measured by writing the same sentence without each piece; pieces that were alike share a slot
of the memory, and a row.
"""

import math
from html import escape

from mm_memgpt.explain.slots import alone, slot_evidence, used
from mm_memgpt.explain.written import written
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.words import begun, clock
from mm_memgpt.types import Caption, MemoryState

MOST = 24
"""Rows shown at most: those that mattered most."""
GREATEST = 1000.0
"""Factor above which no figure is shown."""

MEANING = (
    "How many times less probable the sentence becomes when the piece is taken out of the memory; below 1, it becomes "
    "more probable."
)


def pieces(model: Pipeline, state: MemoryState, caption: Caption, prompt: str) -> str:
    """A row for each of the memory's slots, by time, and what the figures mean.

    Args:
        model: what wrote the caption.
        state: the memory, of one sound.
        caption: written of it.
        prompt: what it was given to begin with.
    """
    slots = used(state)
    text = written(model.model, model.processor, caption.text)
    drops = slot_evidence(model.model, state, slots, text, begun(caption, prompt))
    shown = drops.argsort(descending=True, stable=True)[:MOST].sort().values
    each = alone(state, slots[shown.to(slots.device)], model.bank.empty(device=model.device))
    said = model.decode_each(model.fuse(each), prompt, beams=1)
    times = state.time[0, slots].cpu()[shown].tolist()
    most = max(drops.max().item(), math.log(2))  # a bar as long as the row is at least a factor of 2
    rows = "".join(
        _row(time, by_itself, prompt, drop, most)
        for time, by_itself, drop in zip(times, said, drops[shown].tolist(), strict=True)
    )
    left = f" The {MOST} of {len(slots)} that mattered most are shown." if len(slots) > MOST else ""
    return (
        '<table class="mm-pieces"><thead><tr><th>When</th><th>By itself</th><th>Mattered</th></tr></thead>'
        f'<tbody>{rows}</tbody></table><p class="mm-confidence">{MEANING}{left}</p>'
    )


def factor(drop: float) -> str:
    """How many times less probable, for people, of a difference of log-probabilities in nats."""
    if drop > math.log(GREATEST):
        return f"&gt;\u202f{GREATEST:.0f}"
    times = math.exp(drop)
    return f"{times:.0f}" if times >= 9.95 else f"{times:.1f}" if times >= 0.1 else "&lt;\u202f0.1"


def _row(time: list[float], said: Caption, prompt: str, drop: float, most: float) -> str:
    words = " ".join(word.word for word in said.words[begun(said, prompt) :])
    return (
        f"<tr><td>{clock(time[0])} to {clock(time[1])}</td><td>{escape(words)}</td>"
        f'<td><span class="mm-bar" style="--share: {max(drop, 0.0) / most:.3f}"></span>{factor(drop)}</td></tr>'
    )
