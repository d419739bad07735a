"""What the pages have in common: a sentence about a memory, a question that it answers, an input taken away.

Notable: a page keeps the memory and not the file, so a question asked later is answered without hearing or watching
again; a prompt is a beginning that the model goes on with, so a question is answered only by a model that learned to.
"""

import json

import gradio

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.words import sentence
from mm_memgpt.types import Caption, MemoryState

LONGEST = 200
"""Letters of a question."""


def question(example: str) -> gradio.Textbox:
    """The box for a question, with one to begin with."""
    return gradio.Textbox(
        label="A question, or how the sentence begins (optional)",
        placeholder=example,
        max_lines=1,
        max_length=LONGEST,
        submit_btn="Ask",
    )


def told(model: Pipeline, state: MemoryState, prompt: str, beams: int, of: str) -> tuple[Caption, str]:
    """What the model writes of a memory behind a prompt, and that as HTML.

    Args:
        model: writes.
        state: the memory.
        prompt: a question or a beginning, one space between two words; empty for none.
        beams: of the search.
        of: what the memory is of, "sound" or "clip".

    Raises:
        InputError: the prompt leaves no room for a word.
    """
    likeliest = {"num_return_sequences": 1} if prompt else {}  # keys choose among captions, not among answers
    caption = model.decode_each(model.fuse(state), prompt, beams, **likeliest)[0]
    return caption, sentence(caption, model.model.config.confidence is not None, prompt, of)


def gone(first: str, empty: str = "''") -> str:
    """Script for an input that changes: where it is taken away, what was said of it goes too, and errors stay.

    Args:
        first: the HTML that invites to give an input.
        empty: what the other output, beside the result, is without an input, as JavaScript.
    """
    return (
        "(given, result, other) => given !== null ? [result, other] : [result.includes('mm-problem') && "
        f"!result.includes('mm-sentence') ? result : {json.dumps(first)}, {empty}]"
    )
