"""How a text is written: what transformers' generate is told, as one checked value."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Every choice there is while a text is written; the defaults write the likeliest word each time.

    Raises:
        ValueError: values that cannot be, or that contradict each other.
    """

    longest: int = 64
    """New tokens at most."""
    shortest: int = 0
    """New tokens at least, before the text may end."""
    beams: int = 1
    """Texts considered at a time; 1 is greedy, or sampling."""
    sample: bool = False
    """Whether words are drawn by their probability."""
    temperature: float = 1.0
    """Of sampling: what logits are divided by; below 1 the likely becomes likelier."""
    top_p: float = 1.0
    """Of sampling: only the likeliest words that have this share of the probability (arXiv:1904.09751 §3.1)."""
    top_k: int = 0
    """Of sampling: only so many of the likeliest words; 0 is all."""
    repetition_penalty: float = 1.0
    """What the logits of words already there are divided by (arXiv:1909.05858 §4.1); 1 is none."""
    no_repeat_ngram: int = 0
    """So many words in a row never come twice; 0 is free."""
    length_penalty: float = 1.0
    """Of beams: above 0 longer texts are preferred, below it shorter ones."""
    seed: int | None = None
    """Of sampling; with one, the same text comes again."""

    def __post_init__(self) -> None:
        for name in ("longest", "beams"):
            _check(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        for name in ("shortest", "top_k", "no_repeat_ngram"):
            _check(getattr(self, name) >= 0, f"{name} {getattr(self, name)} must be at least 0")
        _check(
            self.shortest <= self.longest, f"shortest {self.shortest} is above longest {self.longest}; raise longest"
        )
        for name in ("temperature", "repetition_penalty"):
            _check(getattr(self, name) > 0, f"{name} {getattr(self, name)} must be above 0; try {name}=1")
        _check(0 < self.top_p <= 1, f"top_p {self.top_p} must be above 0 and at most 1; try top_p=0.9")
        drawn = self.temperature != 1 or self.top_p != 1 or self.top_k != 0 or self.seed is not None
        _check(self.sample or not drawn, "temperature, top_p, top_k and seed are of sampling; set sample as well")

    def arguments(self) -> dict[str, Any]:
        """The choices by the names that transformers' generate gives them."""
        how: dict[str, Any] = {
            "max_new_tokens": self.longest,
            "min_new_tokens": self.shortest,
            "num_beams": self.beams,
            "do_sample": self.sample,
            "repetition_penalty": self.repetition_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram,
        }
        if self.sample:
            how |= {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k}
        if self.beams > 1:
            how["length_penalty"] = self.length_penalty
        return how


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)
