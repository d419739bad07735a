"""Which texts a run of memories learns to write, as its recipe names them: running texts, and replies.

Notable: a source names its file of training and that of validation side by side, so that neither can be left out.
"""

from dataclasses import dataclass

from mm_memgpt.config import require


@dataclass(kw_only=True)
class RunningText:
    """Texts that are learned as they run on."""

    path: str
    """Table or text file below `data.root`."""
    val: str
    """The same of validation."""
    text: str = "text"
    """Column of the texts; of a list, such as the turns of a dialogue, each is a line."""
    share: float = 1.0
    """How often it is drawn beside the others."""

    def __post_init__(self) -> None:
        require(self.share > 0, f"share {self.share} of {self.path} must be above 0; leave the source out")


@dataclass(kw_only=True)
class ReplyText:
    """Texts that reply to something about a few sentences: answers, summaries, or the next turn of a dialogue."""

    path: str
    """Table below `data.root`."""
    val: str
    """The same of validation."""
    turns: str | None = None
    """Column of a dialogue's turns, a list: each replies to the two before, and those ahead of them are remembered."""
    memory: str | None = None
    """Column of what is remembered; its sentences are."""
    prompt: str | None = None
    """Column of what is asked."""
    asked: str | None = None
    """What is asked in each row, where no column says so."""
    text: str | None = None
    """Column of the reply; the first of a list."""
    sentences: int | None = None
    """Sentences of the reply that are learned; all where it is None."""
    share: float = 1.0
    """How often it is drawn beside the others."""

    def __post_init__(self) -> None:
        require(self.share > 0, f"share {self.share} of {self.path} must be above 0; leave the source out")
        row = (self.memory, self.text, self.prompt or self.asked)
        whole = all(row) if self.turns is None else not any(row)
        require(whole, f"{self.path}: name its turns, or memory, text and either prompt or asked")
        require(self.prompt is None or self.asked is None, f"{self.path}: prompt and asked both say what is asked")
        counted = self.sentences is None or self.sentences >= 1
        require(counted, f"sentences {self.sentences} of {self.path} must be at least 1; try sentences=1")
