"""What a memory holds, as HTML: a card a slot, by time, with what it shows or says and how many items merged in it.

Notable: times of a sound or a clip are its own, for that is where one listens; those of a photo or a note are on the
memory's clock; pictures are part of the page (data URIs), so nothing more is fetched and what is forgotten is gone.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape

from mm_memgpt.recollection.results import Moment
from mm_memgpt.serve.memory_visitors import Given
from mm_memgpt.serve.words import clock, hint

EMPTY = hint("Nothing is kept yet.")
NAMES = {"image": "photo", "audio": "sound", "text": "note"}
"""What a modality is called where the kind of its source is not known."""
LONGEST = 160
"""Letters of a note that a card shows."""


def timeline(moments: Sequence[Moment], files: Mapping[str, Given]) -> str:
    """The cards, and in a line how much is kept in how many of them.

    Args:
        moments: what the memory holds, by time.
        files: what went into it, by name.
    """
    if not moments:
        return EMPTY
    items, merged = sum(moment.items for moment in moments), sum(moment.merged for moment in moments)
    line = f"{counted(items, 'item')} in {counted(len(moments), 'slot')}"
    line += f"; {counted(merged, 'slot')} of several that were alike." if merged else "; nothing had to merge yet."
    cards = "".join(_card(moment, files) for moment in moments)
    return f'<p class="mm-facts" role="status">{line}</p><ol class="mm-moments">{cards}</ol>'


def counted(number: int, thing: str) -> str:
    """A number and what is counted: "1 item", "1,200 items"."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def when(modality: str, start: float, end: float, given: Given | None) -> str:
    """The time of a moment for people: within its sound or clip where it has one, else on the memory's clock."""
    if given is not None and given.kind in ("sound", "clip"):
        start, end = max(start - given.at, 0.0), max(end - given.at, 0.0)
    return clock(start) if clock(start) == clock(end) else f"{clock(start)} to {clock(end)}"


def picture(preview: bytes, meaning: str) -> str:
    """A small JPEG as part of the page."""
    return f'<img src="data:image/jpeg;base64,{b64encode(preview).decode()}" alt="{escape(meaning)}">'


def _card(moment: Moment, files: Mapping[str, Given]) -> str:
    given = files.get(moment.source)
    kind = NAMES[moment.modality] if given is None else given.kind
    name = "several sources" if moment.source is None else moment.source
    said = " ".join(moment.texts)
    said = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    said = f'<p class="mm-said">{escape(said)}</p>' if said else ""
    shown = picture(moment.preview, name) if moment.preview else said
    merged = f'<span class="mm-merged">{counted(moment.items, "item")} merged</span>' if moment.merged else ""
    time = when(moment.modality, moment.start, moment.end, given)
    return (
        f'<li class="mm-moment mm-{moment.modality}">{shown}<span class="mm-kind">{kind}</span> '
        f'<span class="mm-when">{time}</span> <span class="mm-name">{escape(name)}</span>{merged}</li>'
    )
