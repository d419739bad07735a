"""What a task's prediction rests on: a score for each word, part of a photo or segment of a sound.

Notable: what is explained is what the task itself calls its confidence in its prediction, so every task, and every
backbone and adapter, is explained by the same few lines.
"""

from collections.abc import Callable

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.explain.attribution import ROLES, Attribution, Piece, TextPart, Word
from mm_memgpt.explain.gradients import integrated_gradients
from mm_memgpt.explain.leaving_out import occlusion
from mm_memgpt.explain.question import Question, Scores, ask
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.model import TaskModel
from mm_memgpt.types import InputError

METHODS: dict[str, Callable[[Question], Scores]] = {
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}
"""Ways of explaining, by name."""


def explain(model: TaskModel, example: Example, method: str = "integrated_gradients") -> Attribution:
    """What the model's prediction for a row rests on.

    Args:
        model: of any task; it is read in evaluation mode.
        example: the row, as the task reads it.
        method: one of METHODS; integrated gradients are quick and add up, occlusion says what leaving out costs.

    Raises:
        ImportError: a package that the method needs is not installed; the message names the extra.
        InputError: no such method, or the row cannot be read, or not explained by this method.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown; known: {', '.join(METHODS)}")
    training = model.training
    model.eval()
    try:
        question = ask(model, example)
        scores = METHODS[method](question)
    finally:
        model.train(training)
    sound = () if scores.sound is None else scores.sound.tolist()
    return Attribution(
        method=method,
        prediction=question.prediction,
        texts=_texts(question, scores, example.inputs),
        image=() if scores.image is None else tuple(map(tuple, scores.image.tolist())),
        sound=tuple(
            Piece(question.edges[place], question.edges[place + 1], score) for place, score in enumerate(sound)
        ),
        value=scores.value,
        baseline=scores.baseline,
        delta=scores.delta,
    )


def _texts(question: Question, scores: Scores, inputs: Inputs) -> tuple[TextPart, ...]:
    if scores.words is None:
        return ()
    read, numbers, parts = set(question.owner.unique().tolist()), enumerate(scores.words.tolist()), []
    for role, text, spans in zip(ROLES, (inputs.text, inputs.text_pair), question.spans, strict=True):
        scored = zip(spans, numbers, strict=False)  # the second text's words go on with the numbers
        words = [Word(*span, score if number in read else None) for span, (number, score) in scored]
        if text is not None:
            parts.append(TextPart(role, text, tuple(words)))
    return tuple(parts)
