"""Summaries in a model's own words, each sentence of which names the sentences of the document that it came from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import nn

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import Sentence, placed
from mm_memgpt.evaluation.rouge import rouge_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores, without_target
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.summary import Length, Summary
from mm_memgpt.tasks.tracing import trace
from mm_memgpt.tasks.writing import WritingTask

TOKENS_A_WORD = 2
"""Room for a word of a summary whose words are counted."""


class SummaryWriting(WritingTask):
    """A summary that is written from a text. Options as `WritingTask`, and sources: whether predictions name their
    sources, which takes a reading of the text for each of its sentences."""

    name = "summary_writing"
    best: ClassVar = "rouge_2"
    OPTIONS: ClassVar[dict[str, Any]] = {**WritingTask.OPTIONS, "sources": False}

    def from_sentences(self, sentences: Sequence[str]) -> Prompt:
        """The prompt of a document of these sentences."""
        return self.prompt(Inputs(text=" ".join(sentences)))

    def summarize(self, model: nn.Module, document: Sequence[Sentence], length: Length | None = None) -> Summary:
        """The summary that a model writes of a document, with its sources.

        Args:
            model: a `WritingModel`.
            document: its sentences, each with its place.
            length: how long the summary is to be at most; as the task's decoding has it where None.

        Raises:
            InputError: a document that is too long for the model.
        """
        prompt = self.from_sentences([sentence.text for sentence in document])
        [composed] = model.write([prompt], self.decoding if length is None else self._room(document, length))
        kept = placed(composed.text)
        if length is not None and length.sentences is not None:
            kept = kept[: length.sentences]
        return trace(model, self.from_sentences, document, " ".join(sentence.text for sentence in kept))

    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        written = super().predict(model, examples)
        if not self.options["sources"]:
            return written
        found = []
        for example, said in zip(examples, written, strict=True):
            summary = trace(model, self.from_sentences, placed(example.inputs.text), said.value)
            found.append(replace(said, details={**said.details, "sentences": summary.to_json()["sentences"]}))
        return found

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """`rouge_1`, `rouge_2` and `rouge_l`."""
        without_target(examples, "label")
        return Scores(rouge_scores([each.value for each in predictions], [each.target for each in examples]))

    def _room(self, document: Sequence[Sentence], length: Length) -> Decoding:
        """The task's decoding, with room for a summary of a length in words."""
        _, words = length.room(sum(len(sentence.text.split()) for sentence in document))
        if words == float("inf"):
            return self.decoding
        longest = max(self.decoding.shortest, 1, round(TOKENS_A_WORD * words))
        return replace(self.decoding, longest=longest)
