"""What a summary is: sentences, each with the sentences of the document that it came from, and how long it is to be.

Notable: a source has its place in the text as characters and as a line, so that it can be shown where it stands.
"""

from dataclasses import dataclass
from typing import Any

from mm_memgpt.datasets.document import Sentence
from mm_memgpt.types import InputError


@dataclass(frozen=True, kw_only=True)
class Source:
    """A sentence of the document that a sentence of the summary came from."""

    text: str
    number: int
    """Which sentence of the document, from 1."""
    start: int
    """Its first character in the document."""
    end: int
    """The character behind its last."""
    line: int
    """The line that it begins in, from 1."""
    share: float = 1.0
    """How much of what the document says for the summary's sentence is its, 0 to 1."""

    @classmethod
    def of(cls, sentence: Sentence, number: int, share: float = 1.0) -> "Source":
        """A sentence of a document, the `number`th from 0."""
        return cls(
            text=sentence.text,
            number=number + 1,
            start=sentence.start,
            end=sentence.end,
            line=sentence.line,
            share=share,
        )

    @property
    def place(self) -> str:
        """Such as: sentence 12, line 4, characters 340-412."""
        return f"sentence {self.number}, line {self.line}, characters {self.start}-{self.end}"


@dataclass(frozen=True, kw_only=True)
class SummarySentence:
    """A sentence of a summary; str() gives its text."""

    text: str
    sources: tuple[Source, ...]
    """The sentences that it came from, the one with the largest share first."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A summary; str() gives its text."""

    sentences: tuple[SummarySentence, ...]
    of_sentences: int
    """Sentences of the whole document."""
    of_words: int
    """Words of the whole document."""
    bounded: bool = False
    """Whether more was asked for than the candidates that are kept of a long document hold."""

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(sentence.text for sentence in self.sentences)

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON holds it."""
        told = [
            {
                "text": sentence.text,
                "sources": [
                    {
                        "text": source.text,
                        "sentence": source.number,
                        "line": source.line,
                        "start": source.start,
                        "end": source.end,
                        "share": round(source.share, 4),
                    }
                    for source in sentence.sources
                ],
            }
            for sentence in self.sentences
        ]
        return {
            "summary": self.text,
            "sentences": told,
            "of_sentences": self.of_sentences,
            "of_words": self.of_words,
        }


@dataclass(frozen=True, kw_only=True)
class Length:
    """How long a summary is to be: one of the three."""

    sentences: int | None = None
    words: int | None = None
    share: float | None = None
    """Of the document's words, above 0 and at most 1."""

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        if len(given) != 1:
            names = " and ".join(given) or "none"
            raise InputError(f"a summary's length is one of sentences, words and share, not {names}; give one")
        [(name, value)] = given.items()
        if name == "share" and not 0 < value <= 1:
            raise InputError(f"share {value} must be above 0 and at most 1; try share=0.2")
        if name != "share" and value < 1:
            raise InputError(f"{name} {value} must be at least 1; try {name}={3 if name == 'sentences' else 60}")

    def room(self, words: int) -> tuple[float, float]:
        """Sentences and words that a summary of a document of so many `words` has at most."""
        if self.sentences is not None:
            return self.sentences, float("inf")
        return float("inf"), self.words if self.words is not None else self.share * words
