"""What a prediction rests on: a score for each word, part of a photo or piece of a sound, and how it is shown.

Notable: scores are in the units of what was explained (nats of a log-probability, or the number that was predicted);
above 0 speaks for the prediction, below 0 against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mm_memgpt.explain.coloured import Line, Mark, ansi, html
from mm_memgpt.tasks.base import Prediction

ROLES = {"text": "Text:", "text_pair": "With:"}
"""The texts of a row, in their order, and what each is called where it is shown."""


class Word(NamedTuple):
    """Characters begin:end of a text."""

    begin: int
    end: int
    score: float | None
    """None of a word that the model did not read, because the text is over its limit."""


class TextPart(NamedTuple):
    """One of the texts that were read."""

    role: str
    """text or text_pair."""
    text: str
    words: tuple[Word, ...]


class Piece(NamedTuple):
    """Seconds begin to end of a sound."""

    begin: float
    end: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What a prediction rests on."""

    method: str
    """One of `mm_memgpt.explain.text.METHODS`."""
    prediction: Prediction
    """What is explained."""
    texts: tuple[TextPart, ...] = ()
    image: tuple[tuple[float, ...], ...] = field(default=())
    """Scores of the cells of the photo, row by row from the top."""
    sound: tuple[Piece, ...] = ()
    value: float
    """What the task gives as its confidence (`Task.confidence`) in the prediction."""
    baseline: float
    """The same with everything left out."""
    delta: float | None = None
    """Integrated gradients: what is missing to `sum of all scores = value - baseline`; 0 were it computed exactly."""

    @property
    def largest(self) -> float:
        """The greatest score, of either sign."""
        return max((abs(score) for score in self._scores()), default=0.0)

    @property
    def unread(self) -> int:
        """Words that the model did not read."""
        return sum(word.score is None for part in self.texts for word in part.words)

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        said: dict[str, Any] = {
            "method": self.method,
            "prediction": self.prediction.value,
            "value": round(self.value, 6),
            "baseline": round(self.baseline, 6),
            "delta": None if self.delta is None else round(self.delta, 6),
        }
        for part in self.texts:
            said[part.role] = [
                {
                    "word": part.text[begin:end],
                    "begin": begin,
                    "end": end,
                    "score": None if score is None else round(score, 6),
                }
                for begin, end, score in part.words
            ]
        if self.image:
            said["image"] = [[round(score, 6) for score in row] for row in self.image]
        if self.sound:
            said["sound"] = [{**piece._asdict(), "score": round(piece.score, 6)} for piece in self.sound]
        return said

    def to_ansi(self, width: int = 80, colour: bool = True) -> str:
        """For a terminal of `width` columns: green speaks for the prediction, red against it.

        Args:
            width: columns.
            colour: False for plain text, in which the figures of the words that matter stand behind them.
        """
        return ansi(list(self._lines()), max(width, 20), colour)

    def to_html(self) -> str:
        """As HTML that needs no style sheet and is readable on light and dark pages."""
        return f'<div class="mm-explained">{html(list(self._lines()))}</div>'

    def _scores(self) -> Iterator[float]:
        yield from (word.score for part in self.texts for word in part.words if word.score is not None)
        yield from (score for row in self.image for score in row)
        yield from (piece.score for piece in self.sound)

    def _lines(self) -> Iterator[Line]:
        largest = self.largest or 1.0
        for part in self.texts:
            marks, end = [], 0
            for word in part.words:
                if word.begin > end:
                    marks.append(Mark(part.text[end : word.begin]))
                share = None if word.score is None else word.score / largest
                marks.append(Mark(part.text[word.begin : word.end], share, word.score))
                end = word.end
            yield Line(ROLES[part.role], [*marks, Mark(part.text[end:])] if end < len(part.text) else marks)
        if self.unread:
            yield Line(f"({self.unread} words at the end were not read)", [])
        if self.image:
            cells = [[Mark("██" if score > 0 else "░░", score / largest, score) for score in row] for row in self.image]
            yield Line("Photo:", [mark for row in cells for mark in (Mark("\n"), *row)])
        if self.sound:
            pieces = [Mark(f"{a:.1f}-{b:.1f} s", score / largest, score) for a, b, score in self.sound]
            yield Line("Sound:", [mark for piece in pieces for mark in (piece, Mark(" "))])
