"""The page of texts that are written: a summary that names its sources, a text gone on with, a translation.

Notable: words appear as they are written and a button stops them, and what is there stays; a summary's sentences point
to where they stand in the text, both ways; all that is typed is escaped.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import gradio

from mm_memgpt.datasets.document import split
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve import chat
from mm_memgpt.serve.options import MODEL, Options
from mm_memgpt.serve.words import hint, problem
from mm_memgpt.summaries import Summarizer, load_summarizer
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.summary import Length, Summary
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.translations import in_pieces, translated
from mm_memgpt.types import InputError, Text

if TYPE_CHECKING:
    from mm_memgpt.task_pipeline import TaskPipeline

LONGEST = 200_000
"""Characters of a text that is summed up: a long book chapter; the command line has no limit."""
LONGEST_PROMPT = 2_000
LONGEST_TRANSLATED = 20_000
AT_A_TIME = 8
"""Sentences translated before they are shown."""
LIKELIEST = 0.0
"""The surprise at which nothing is drawn by chance."""
NOT_YET = hint("Paste a text.")
ARTICLE = """The harbour of the small town was built in 1872 and rebuilt twice. Today it has 214 berths. Most of them \
are used in summer only. On Monday the council decided to close the northern pier for repairs. The repairs will take \
seven months and cost 2.3 million. Fishermen had asked for a later start, because the herring season begins in March. \
The mayor said that the pier could not wait, since two of its pillars are cracked. Boats will use the southern pier \
until the work is done. The cafe at the northern pier stays open. Its owner expects fewer guests and hopes for a \
warm autumn."""


def add(model: Pipeline, options: Options) -> None:
    """Lays the page out inside the open Blocks, and says what happens on it."""
    readers = options.readers.items()
    translators = {name: reader for name, reader in readers if reader.task.name == "translation"}
    learned = {name: Summarizer(reader.model) for name, reader in readers if reader.task.name == "summarization"}
    with gradio.Tabs():
        with gradio.Tab("Sum up"):
            _summaries(options.name, learned)
        with gradio.Tab("Go on"):
            _continuations(WritingModel(model.model, model.processor).eval())
        with gradio.Tab("Talk"):
            chat.add(model, options)
        if translators:
            with gradio.Tab("Translate"):
                _translations(translators)


def _summaries(usual: str, learned: Mapping[str, Summarizer]) -> None:
    usually = cache(lambda: load_summarizer(usual))  # it is loaded when it is first asked
    names = [*learned, usual]
    with gradio.Row():
        with gradio.Column(min_width=320):
            chosen = gradio.Dropdown(names, value=names[0], label="Model", visible=len(names) > 1)
            text = gradio.Textbox(
                label="A text", lines=12, max_lines=24, max_length=LONGEST, elem_id="summary-text", value=ARTICLE
            )
            count = gradio.Slider(1, 20, 3, step=1, label="Sentences", elem_id="summary-count")
            button = gradio.Button("Sum up", variant="primary", elem_id="summary-run")
        with gradio.Column(min_width=320):
            result = gradio.HTML(NOT_YET, elem_id="summary-result", padding=True, container=True)

    def told(name: str, given: str, sentences: float) -> str:
        if not given.strip():
            return problem("the text is empty; paste one")
        summarizer = learned[name] if name in learned else usually()
        try:
            return summary_html(given, summarizer(Text(given), Length(sentences=int(sentences))))
        except InputError as error:
            return problem(str(error))

    button.click(told, [chosen, text, count], result, concurrency_id=MODEL, api_visibility="private")


def summary_html(text: str, summary: Summary) -> str:
    """The summary's sentences, each with its sources' places, and below the text with these marked."""
    marks: dict[tuple[int, int], int] = {}
    items = []
    for number, sentence in enumerate(summary.sentences, start=1):
        for source in sentence.sources:
            marks.setdefault((source.start, source.end), number)
        places = "; ".join(f"sentence {source.number}, line {source.line}" for source in sentence.sources)
        items.append(
            f'<li><p class="mm-said">{escape(sentence.text)}</p>'
            f'<p class="mm-facts"><a href="#summary-{number}">from {escape(places)}</a></p></li>'
        )
    shown, last = [], 0
    for (start, end), number in sorted(marks.items()):
        if start < last:
            continue
        shown += [escape(text[last:start]), f'<mark class="mm-merged" id="summary-{number}">{escape(text[start:end])}']
        shown.append(f"</mark> <small>{number}</small>")
        last = end
    whole = "".join(shown) + escape(text[last:])
    kept = f"{len(summary.sentences)} of {summary.of_sentences} sentences"
    return (
        f'<div class="mm-result" role="status"><ol>{"".join(items)}</ol><details open><summary>{kept}, where they stand'
        f'</summary><p class="mm-text">{whole}</p></details></div>'
    )


def _continuations(writer: WritingModel) -> None:
    with gradio.Row():
        with gradio.Column(min_width=320):
            prompt = gradio.Textbox(
                label="How the text begins", lines=4, max_length=LONGEST_PROMPT, elem_id="write-prompt", value="A dog"
            )
            longest = gradio.Slider(8, 256, 48, step=8, label="Tokens at most", elem_id="write-longest")
            surprise = gradio.Slider(
                LIKELIEST,
                1.5,
                LIKELIEST,
                step=0.1,
                label="Surprise",
                info="0 takes the likeliest word each time; above it words are drawn, at that temperature.",
                elem_id="write-surprise",
            )
            with gradio.Row():
                begin = gradio.Button("Write", variant="primary", elem_id="write-run")
                stop = gradio.Button("Stop", variant="stop", elem_id="write-stop")
        with gradio.Column(min_width=320):
            result = gradio.Textbox(label="What comes then", lines=8, interactive=False, elem_id="write-result")

    def written(given: str, most: float, drawn: float) -> Iterator[str]:
        try:
            yield from continued(writer, given, int(most), drawn)
        except InputError as error:
            raise gradio.Error(str(error), print_exception=False) from None

    writing = begin.click(written, [prompt, longest, surprise], result, concurrency_id=MODEL, api_visibility="private")
    stop.click(None, cancels=[writing])


def continued(writer: WritingModel, begun: str, longest: int, surprise: float) -> Iterator[str]:
    """All that is written so far, again and again.

    Raises:
        InputError: the beginning leaves no room for a word.
    """
    drawn = {"sample": True, "temperature": surprise} if surprise > LIKELIEST else {}
    text = ""
    for piece in writer.stream(Prompt(begun), Decoding(longest=longest, **drawn)):
        text += piece
        yield text
    if not text.strip():
        yield "(The model wrote no word.)"


def _translations(translators: Mapping[str, "TaskPipeline"]) -> None:
    names = [*translators]
    known = translators[names[0]].task.labels
    with gradio.Row():
        with gradio.Column(min_width=320):
            chosen = gradio.Dropdown(names, value=names[0], label="Model", elem_id="translate-model")
            into = gradio.Dropdown([*known], value=known[0], label="Into", elem_id="translate-into")
            text = gradio.Textbox(
                label="A text", lines=6, max_length=LONGEST_TRANSLATED, elem_id="translate-text", value="A dog runs."
            )
            button = gradio.Button("Translate", variant="primary", elem_id="translate-run")
        with gradio.Column(min_width=320):
            result = gradio.HTML(NOT_YET, elem_id="translate-result", padding=True, container=True)

    def changed(name: str) -> Any:
        labels = translators[name].task.labels if name in translators else ()
        return gradio.update(choices=[*labels], value=labels[0] if labels else None)

    def told(name: str, language: str, given: str) -> Iterator[str]:
        if name not in translators:
            yield problem(f"no model {name!r}; choose one")
            return
        yield from side_by_side(translators[name], given, language)

    run = {"concurrency_id": MODEL, "api_visibility": "private"}
    chosen.change(changed, chosen, into, **run)
    button.click(told, [chosen, into, text], result, **run)


def side_by_side(model: "TaskPipeline", text: str, into: str) -> Iterator[str]:
    """Each sentence with its translation beside it, some more each time."""
    sentences = ((f"sentence {number}", each) for number, each in enumerate(split(text), start=1))
    found, rows = translated(model, in_pieces(model, sentences, into), into, AT_A_TIME), ""
    while some := list(islice(found, AT_A_TIME)):
        for piece, result in some:
            said = problem(str(result)) if isinstance(result, InputError) else escape(result)
            rows += f"<tr><td>{escape(piece.text)}</td><td>{said}</td></tr>"
        yield f'<table class="mm-pieces"><tr><th>Text</th><th>{escape(into)}</th></tr>{rows}</table>'
    if not rows:
        yield problem("the text is empty; write something")
