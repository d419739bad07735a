"""What tasks of writing share: a row is a prompt and the text that is to be written from it.

Notable: the loss is the cross-entropy of the text alone, never of its prompt; the figures that choose a checkpoint are
those of written texts, because a low loss does not say that what is written ends well.

b rows   t tokens   v vocabulary
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import split
from mm_memgpt.datasets.fields import as_text, as_texts
from mm_memgpt.datasets.table import Row, Table
from mm_memgpt.evaluation.perplexity import foreseen
from mm_memgpt.evaluation.written import written_scores
from mm_memgpt.objectives.imitation import soft_loss
from mm_memgpt.tasks.base import Batch, Example, Prediction, Scores, Task, without_target
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.writing_tokens import IGNORED, WritingProcessor


class WritingTask(Task):
    """A text from a text. Options: smoothing, of the labels; begin, what every written text begins with; decoding,
    fields of `Decoding`; remember, whether the text is read through the memory, sentence by sentence, and not as it
    stands."""

    roles: ClassVar = {"label": "the text that is to be written", "memory": "sentences that are remembered"}
    inputs: ClassVar = ("text",)
    needs: ClassVar = ("label",)
    OPTIONS: ClassVar = {"smoothing": 0.1, "begin": "", "decoding": {}, "remember": False}
    best: ClassVar = "bleu"
    writes: ClassVar = True
    explained: ClassVar = False
    foresees: ClassVar = False
    """Whether how well the right text was foreseen is said too."""

    def __init__(
        self, columns: Mapping[str, str], labels: Sequence[str] = (), options: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(columns, labels, options)
        try:
            self.decoding = Decoding(**self.options["decoding"])
        except TypeError as error:
            known = ", ".join(Decoding.__dataclass_fields__)
            raise ValueError(f"decoding {self.options['decoding']!r}: {error}; known: {known}") from None

    @property
    def tags(self) -> tuple[str, ...]:
        """What may stand ahead of a text, each of which is one token of a fresh model."""
        return ()

    def prompt(self, inputs: Inputs, memory: Sequence[str] = ()) -> Prompt:
        """What a text is written from."""
        text = inputs.text or ""
        if self.options["remember"]:
            return Prompt("", self.options["begin"], (*memory, *split(text)))
        return Prompt(text, self.options["begin"], tuple(memory))

    def example(self, table: Table, index: int) -> Example:
        row, place = table[index], table.place(index)
        inputs = self.read(row, place, table)
        return Example(inputs, self.target(row, place), place, self.prompt(inputs, self._memory(row, place)))

    def target(self, row: Row, place: str) -> str | None:
        name = self.columns.get("label")
        return None if name is None or row.get(name) is None else as_text(row[name], place, name)

    def _memory(self, row: Row, place: str) -> list[str]:
        name = self.columns.get("memory")
        if name is None or row.get(name) is None:
            return []
        value = row[name]
        return split(value) if isinstance(value, str) else as_texts(value, place, name)

    def apart(self, inputs: Inputs) -> list[Inputs]:
        """Nothing: what a model that writes leaves out is told by its own processor."""
        return []

    def collate(self, processor: WritingProcessor) -> Callable[[Sequence[Example]], dict[str, Any]]:
        return CollateWriting(self, processor)

    def as_learned(self, example: Example) -> Example:
        """An example as it is learned."""
        return example

    def check(self, model: nn.Module, example: Example) -> None:
        model.check([example.further])
        if self.foresees and example.target is not None:
            learned = self.as_learned(example)
            model.check([learned.further], [self.learned(learned.target)])

    def learned(self, target: Any) -> str:
        """The text that is learned, of what is right."""
        return target

    def loss(self, outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
        return functional.cross_entropy(
            outputs.float().flatten(0, 1),
            batch["labels"].flatten(),
            ignore_index=IGNORED,
            label_smoothing=self.options["smoothing"],
        )

    def translated(self, answers: Tensor, other: Task | None) -> Tensor:
        return answers

    def imitation(self, answers: Tensor, taught: Tensor, batch: Batch, read: Batch, temperature: float) -> Tensor:
        """Of each token that is written, by the part of the vocabulary that both have weights for."""
        most = min(answers.shape[-1], taught.shape[-1])
        own, theirs = answers[batch["labels"] != IGNORED], taught[read["labels"] != IGNORED]
        return soft_loss(own[:, :most], theirs[:, :most], temperature)

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        predictions = []
        for each in model.write([example.further for example in examples], self.decoding):
            details = {} if each.ended else {"cut_at": self.decoding.longest}
            if each.left_out:
                details["left_out"] = each.left_out
            predictions.append(Prediction(value=each.text, details=details))
        return predictions

    def foreseeing(
        self, model: nn.Module, predictions: Sequence[Prediction], examples: Sequence[Example]
    ) -> list[Prediction]:
        """Predictions with how well the right text was foreseen, as `foreseen`, where that is known."""
        told = [place for place, each in enumerate(examples) if each.target is not None]
        found = list(predictions)
        learned = [self.as_learned(examples[place]) for place in told]
        texts = [self.learned(each.target) for each in learned]
        scored = model.score([each.further for each in learned], texts) if told else []
        for place, each, text, logprobs in zip(told, learned, texts, scored, strict=True):
            own = foreseen(text, logprobs.tolist()[: len(logprobs) - each.further.ends])
            found[place] = replace(found[place], details={**found[place].details, "foreseen": own})
        return found

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """BLEU, chrF and exact match of what was written."""
        without_target(examples, "label")
        written = [prediction.value for prediction in predictions]
        return Scores(written_scores(written, [example.target for example in examples]))


class CollateWriting:
    """Examples to a batch; it reaches a loader's worker processes."""

    def __init__(self, task: WritingTask, processor: WritingProcessor) -> None:
        self.task, self.processor = task, processor

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        without_target(examples, "label")
        learned = [self.task.as_learned(example) for example in examples]
        texts = [self.task.learned(example.target) for example in learned]
        return self.processor([example.further for example in learned], texts)
