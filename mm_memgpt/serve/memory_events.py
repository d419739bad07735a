"""What happens on the memory page: things are kept, a question is answered, a source is forgotten.

Notable: each event is of one visitor, who is told by the number of their session, and returns all that changes on the
page; what is wrong is a line in it, and the rest of what was given is kept all the same.
"""

from collections.abc import Container, Iterable
from functools import partial
from html import escape
from typing import Any

import gradio
from gradio.utils import get_upload_folder

from mm_memgpt.pipeline import Pipeline
from mm_memgpt.recollection.results import Added
from mm_memgpt.serve.memory_answer import answer
from mm_memgpt.serve.memory_receipt import receipt
from mm_memgpt.serve.memory_timeline import counted, timeline
from mm_memgpt.serve.memory_visitors import Progress, Visitor, Visitors
from mm_memgpt.serve.words import hint, problem
from mm_memgpt.types import InputError

FIRST = hint("Give photos, sounds, clips, notes or facts, then ask about them.")
TOLD = 5
"""Lines of one file that are told one by one where they are broken."""
PROGRESS = gradio.Progress()
"""As a default, it makes Gradio give a function what it can tell how far it is."""


class Events:
    """The page's events.

    Args:
        model: what keeps, answers and forgets.
        uploads: paths of what was uploaded, and only that is deleted; a visitor could name an example's picture, too.
    """

    def __init__(self, model: Pipeline, uploads: Container[str]) -> None:
        self.model, self.uploads, self.visitors = model, uploads, Visitors(partial(Visitor, model))

    def given(
        self, uploads: list[dict[str, Any]] | None, request: gradio.Request, progress: gradio.Progress = PROGRESS
    ) -> tuple[None, str, str, Any]:
        """Keeps files: an empty place for more, what became of each, what the memory holds, what can be forgotten."""
        visitor, tell = self._visitor(request), shown_by(progress)
        with visitor.lock:
            added = [
                visitor.keep(each["path"], each["orig_name"] or "file", tell, each["path"] in self.uploads)
                for each in uploads or ()
            ]
            return None, report(added), *holds(visitor)

    def noted(
        self, text: str, request: gradio.Request, progress: gradio.Progress = PROGRESS
    ) -> tuple[str, str, str, Any]:
        """Keeps a note: what is left to be kept, and the rest as `given`."""
        visitor = self._visitor(request)
        with visitor.lock:
            try:
                added = visitor.note(text, shown_by(progress))
            except InputError as error:
                return text, problem(str(error)), *holds(visitor)
            return "" if added.items > 0 else text, report([added]), *holds(visitor)

    def told(self, head: str, relation: str, tail: str, request: gradio.Request) -> tuple[str, str, str, str, str, Any]:
        """Keeps a fact: what is left to be kept of its three parts, and the rest as `given`."""
        visitor = self._visitor(request)
        with visitor.lock:
            try:
                added = visitor.tell(head, relation, tail)
            except InputError as error:
                return head, relation, tail, problem(str(error)), *holds(visitor)
            left = ("", "", "") if added.items > 0 else (head, relation, tail)
            return *left, report([added]), *holds(visitor)

    def asked(self, question: str, request: gradio.Request) -> str:
        """An answer with what it rests on."""
        visitor = self._visitor(request)
        with visitor.lock:
            try:
                return answer(self.model, question, visitor.ask(question), visitor.files)
            except InputError as error:
                return problem(str(error))

    def forgotten(self, name: str | None, request: gradio.Request) -> tuple[str, Any, str, Any]:
        """Forgets a source: the receipt, no answer, what the memory holds, what can be forgotten."""
        visitor = self._visitor(request)
        with visitor.lock:
            try:
                return receipt(visitor.forget(name)), FIRST, *holds(visitor)
            except InputError as error:
                return problem(str(error)), gradio.skip(), *holds(visitor)

    def left(self, request: gradio.Request) -> None:
        """Deletes what a visitor had who left the page."""
        self.visitors.leave(request.session_hash)

    def _visitor(self, request: gradio.Request) -> Visitor:
        return self.visitors.of(request.session_hash, get_upload_folder())


def shown_by(progress: gradio.Progress) -> Progress:
    """What tells the page how far the reading of a source is."""
    return lambda source, items, done: progress(done, desc=f"{source}: {counted(items, 'item')}")


def holds(visitor: Visitor) -> tuple[str, Any]:
    """What a visitor's memory holds, as HTML, and the sources that they can have forgotten."""
    return timeline(visitor.timeline(), visitor.files), gradio.Dropdown(list(visitor.files), value=None)


def report(added: Iterable[Added]) -> str:
    """What became of each thing that was given, in a line of its own; of a file with many broken lines, the first."""
    lines, errors = [], []
    for each in added:
        lines += [f"{source}: {counted(each.items, 'item')} kept" for source in each.sources]
        lines += [f"{source}: {why}" for source, why in each.skipped]
        errors += [problem(str(error)) for error in each.errors[:TOLD]]
        if len(each.errors) > TOLD:
            errors.append(problem(f"{len(each.errors) - TOLD:,} more like these were left out"))
    told = f'<p class="mm-facts" role="status">{"<br>".join(map(escape, lines))}</p>' if lines else ""
    return told + "".join(errors)
