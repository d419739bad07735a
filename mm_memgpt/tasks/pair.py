"""Pairs: whether, or how, one text goes with another, read together: does this passage answer that question?

Notable: where there are two labels and texts with several rows, each such text ranks its rows by how likely they are
right, so that a pair classifier and a retrieval model are measured alike.
"""

from collections.abc import Sequence

from mm_memgpt.evaluation.ranking import ranking_scores
from mm_memgpt.tasks.base import Example, Prediction, Scores
from mm_memgpt.tasks.classification import Classification
from mm_memgpt.tasks.queries import questions, rank_own

RIGHT = ("1", "1.0", "true", "yes", "right")
"""Labels, in small letters, of a pair that belongs together; of others it is the second."""


class Pair(Classification):
    """Classification of two texts that the backbone reads as one; options as `Classification`."""

    name = "pair"
    inputs = ("text", "text_pair")
    needs = ("text", "text_pair", "label")

    @property
    def right(self) -> str:
        """The label of a pair that belongs together."""
        return next((label for label in self.labels if label.lower() in RIGHT), self.labels[1])

    def score(self, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Scores:
        """As `Classification`; with two labels and a text that has several rows, `mrr` and `hits@k`, too, over the
        texts of which some row is right."""
        scores = super().score(predictions, examples)
        if len(self.labels) != 2:
            return scores
        asked = questions([example._replace(target=example.target == self.right) for example in examples])
        if all(len(each.rows) == 1 for each in asked):
            return scores
        likely = [Prediction(value=probability_of_right(each, self.right)) for each in predictions]
        ranks = [rank for rank in rank_own(asked, likely) if rank is not None]
        return scores._replace(values={**scores.values, **(ranking_scores(ranks) if ranks else {})})


def probability_of_right(prediction: Prediction, right: str) -> float:
    """How likely one of two labels is, by a prediction that is one of them."""
    return prediction.confidence if prediction.value == right else 1 - prediction.confidence
