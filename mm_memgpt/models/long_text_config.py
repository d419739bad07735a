"""How long text is read: segment by segment, and by what the decoder knows of the text before.

Notable: every way keeps the same short window of exact keys and values; they differ in what lies behind it, so what a
memory gives is told apart from what the last words give.
"""

from dataclasses import dataclass

from mm_memgpt.config import require

WRITES = ("none", "decoder", "encoder", "recurrent")
"""What is kept of the text behind the window: nothing; the most surprising words, as the decoder's own states, in the
bank; sentences by a text encoder, in the bank; or memory tokens that go in and out of each segment
(arXiv:2207.06881)."""


@dataclass(kw_only=True)
class LongTextConfig:
    """One way to read long text."""

    writes: str = "decoder"
    """none, decoder, encoder or recurrent."""
    segment: int = 128
    """Tokens read at a time."""
    window: int | None = 128
    """Tokens whose keys and values are kept exactly, before the segment; None keeps all."""
    copies: bool = True
    """Decoder, words: whether it may write a word of the bank again, as a mixture with what it would write itself."""
    layers: tuple[int, ...] | None = None
    """Decoder layers that read the bank by gated cross-attention; None is the last, or none where words are copied."""
    unit: str = "word"
    """Decoder: an item is a "word" or a "sentence"."""
    items: int = 32
    """Decoder: words of a segment that are written, those it expected least; of sentences, the most of a segment."""
    tokens: int = 1
    """Tokens of an item; 1 for words. Of a sentence, the words it expected least (decoder), or its first (encoder)."""
    slots: int = 512
    """Slots of the bank, the ring included."""
    ring: int = 128
    """Newest items that never merge."""
    key_width: int = 64
    """Numbers in the key by which items merge."""
    recurrent: int = 8
    """Recurrent: memory tokens."""

    def __post_init__(self) -> None:
        require(self.writes in WRITES, f"writes {self.writes!r} is unknown; known: {', '.join(WRITES)}")
        require(self.unit in ("word", "sentence"), f"unit {self.unit!r} is unknown; known: word, sentence")
        for name in ("segment", "items", "tokens", "recurrent"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        require(self.window is None or self.window >= 0, f"window {self.window} must be at least 0; try window=128")
        words = self.unit == "sentence" or self.writes != "decoder"
        require(words or self.tokens == 1, f"a word is one token, not {self.tokens}; try tokens=1, or unit=sentence")
        fits = words or self.items <= self.segment
        require(fits, f"items {self.items} are more than a segment of {self.segment} tokens has; try items=16")
        if self.layers is not None:
            self.layers = tuple(self.layers)

    @property
    def reads_bank(self) -> bool:
        """Whether there is a bank."""
        return self.writes in ("decoder", "encoder")

    @property
    def copies_words(self) -> bool:
        """Whether words are copied out of the bank."""
        return self.copies and self.writes == "decoder" and self.unit == "word"

    def reading_layers(self, layers: int) -> tuple[int, ...]:
        """Which of the decoder's layers read the bank."""
        if not self.reads_bank:
            return ()
        if self.layers is not None:
            return self.layers
        return () if self.copies_words else (layers - 1,)
