"""The page on which a sound becomes a sentence: upload or record one, listen, and read what was heard and when.

Notable: as on the page of photos, Gradio's own decoding is left out, for the package's reader says in one line what is
wrong; a model without ears gets one line, and no place to upload to.
"""

from typing import Any

import gradio

from mm_memgpt.datasets.sound import as_sound
from mm_memgpt.perception import EARS
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.asking import gone, question, told
from mm_memgpt.serve.options import HOUR, MODEL, Options
from mm_memgpt.serve.pieces import pieces
from mm_memgpt.serve.watching import SILENT
from mm_memgpt.serve.words import hint, problem
from mm_memgpt.types import InputError, MemoryState

INTRODUCTION = (
    "The model hears a sound in pieces of about a second, writes one sentence about it, and shows which mattered."
)
DEAF = f"This model has no ears; {EARS}."
FIRST = hint("Give a sound of your own.")


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    if model.model.audio_encoder is None:
        gradio.HTML(hint(DEAF), elem_id="sound-result", padding=True)
        return
    gradio.Markdown(INTRODUCTION)
    with gradio.Row(equal_height=True):
        sound = gradio.Audio(
            label="Sound",
            sources=["upload", "microphone"],
            editable=False,
            min_width=320,
            elem_id="sound",
            waveform_options=gradio.WaveformOptions(show_recording_waveform=False),
        )
        result = gradio.HTML(FIRST, elem_id="sound-result", min_width=320, padding=True, container=True)
    asks = question("What is heard?")
    parts = gradio.HTML("", elem_id="pieces", padding=True)
    memory = gradio.State(time_to_live=HOUR)

    def given(upload: dict[str, Any] | None, prompt: str) -> tuple[Any, str, str, MemoryState | None]:
        if upload is None:
            return gradio.skip(), FIRST, "", None
        try:
            state = heard(model, upload["path"], upload["orig_name"] or "sound")
        except InputError as error:
            return None, problem(str(error)), "", None
        return gradio.skip(), *describe(model, state, prompt, options.beams), state

    def asked(there: dict[str, Any] | None, state: MemoryState | None, prompt: str) -> tuple[str, str]:
        return (FIRST, "") if there is None or state is None else describe(model, state, prompt, options.beams)

    run = {"concurrency_id": MODEL, "api_visibility": "private", "preprocess": False, "show_progress_on": result}
    gradio.on(
        [sound.upload, sound.stop_recording],
        given,
        [sound, asks],
        [sound, result, parts, memory],
        api_name="sound",
        trigger_mode="multiple",
        **run,
    )
    asks.submit(asked, [sound, memory, asks], [result, parts], api_name="ask_sound", **run)
    sound.change(None, [sound, result, parts], [result, parts], js=gone(FIRST), api_visibility="private")


def heard(model: Pipeline, path: str, name: str) -> MemoryState:
    """What a model with ears remembers of the sound in a file.

    Args:
        model: what listens.
        path: where the file lies.
        name: what the user calls it.

    Raises:
        InputError: a file that cannot be used, or one in which nothing can be heard.
    """
    rate = model.model.audio_encoder.config.rate
    samples = as_sound(path, rate, name)
    if samples.abs().max() < SILENT:
        raise InputError(f"{name}: silent from beginning to end; give a sound that can be heard")
    return model.bank.write(model.bank.empty(device=model.device), model.encode([(samples, rate)]))


def describe(model: Pipeline, state: MemoryState, prompt: str, beams: int) -> tuple[str, str]:
    """What is written about a sound, and its pieces with how much each mattered; or what is wrong with the prompt."""
    prompt = " ".join(prompt.split())
    try:
        caption, html = told(model, state, prompt, beams, "sound")
    except InputError as error:
        return problem(str(error)), ""
    return html, pieces(model, state, caption, prompt) if caption.words else ""
