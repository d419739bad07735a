"""A clip watched for the demo: what is remembered of it, the few frames that are shown, and what was odd.

Notable: state in, state out, and as large after an hour as after a minute; a sentence is written only of a frame that
is to be shown, so a clip twice as long costs a dozen sentences more, not twice as many.
"""

from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple

from PIL.Image import Image

from mm_memgpt.datasets.clip import Moment, open_clip
from mm_memgpt.fusion.fuser import of_newest
from mm_memgpt.perception import EARS
from mm_memgpt.pipeline import Pipeline
from mm_memgpt.serve.photo import reduced
from mm_memgpt.types import InputError, MemoryState

MOST = 24
"""Frames shown at most; when one more comes, every second one goes."""
SIDE = 512
"""Longest side, in pixels, of a frame that is shown."""
SILENT = 2.0**-12
"""Largest sample, of a full scale of 1, of what is called silent: 72 dB below full scale."""


class Frame(NamedTuple):
    """A frame that is shown."""

    start: float
    """Seconds on the clip's clock."""
    photo: Image
    """At most SIDE pixels long."""
    said: str
    """The sentence about it, with all before it in mind."""


class View(NamedTuple):
    """A clip as far as it was watched."""

    state: MemoryState
    """What the model remembers of it."""
    frames: tuple[Frame, ...] = ()
    """Those that are shown: of all that were kept, every `stride`-th from the first on."""
    stride: int = 1
    seen: int = 0
    """Frames that were kept."""
    heard: int = 0
    """Pieces of sound, whether or not the model hears."""
    loudest: float = 0.0
    """Largest sample of the sound, of a full scale of 1."""
    problem: InputError | None = None
    """Why it could not be watched to its end."""


def watched(model: Pipeline, path: str | PathLike, name: str) -> Iterator[View]:
    """A clip as it goes: a view whenever a frame is shown, and last the whole.

    What breaks off is a problem in the last view, which holds what came before; so is a clip that has nothing in it
    that the model can perceive.

    Args:
        model: what watches.
        path: where the clip lies.
        name: what the user calls it.
    """
    ear = model.model.audio_encoder
    pieces = {} if ear is None else {"piece": ear.config.seconds, "rate": ear.config.rate}
    view = View(model.bank.empty(device=model.device))
    try:
        with open_clip(path, name=name, **pieces) as clip:
            for moment in clip:
                before, view = view, _after(model, view, moment)
                if view.frames is not before.frames:
                    yield view
    except InputError as error:
        view = view._replace(problem=error)
    if view.problem is None and view.seen == 0 and (ear is None or view.loudest < SILENT):
        why = f"this model has no ears; {EARS}" if ear is None else "its sound is silent; give a clip with one of them"
        view = View(model.bank.empty(device=model.device), problem=InputError(f"{name}: holds no picture, and {why}"))
    yield view


def _after(model: Pipeline, view: View, moment: Moment) -> View:
    """The view with one more moment in it."""
    if moment.photo is None:
        loudest = max(view.loudest, moment.samples.abs().max().item())
        view = view._replace(heard=view.heard + 1, loudest=loudest)
        if (ear := model.model.audio_encoder) is None:
            return view
        given = (moment.samples, ear.config.rate)
    else:
        given = moment.photo
    items = model.encode([given])
    span = items.time.new_tensor([[[moment.start, moment.end]]])  # of zeros that fill the last piece it knows nothing
    view = view._replace(state=model.bank.write(view.state, items._replace(time=span)))
    return view if moment.photo is None else _shown(model, view, moment)


def _shown(model: Pipeline, view: View, moment: Moment) -> View:
    """The view with one more frame counted, and shown if its turn has come."""
    number, view = view.seen, view._replace(seen=view.seen + 1)
    if number % view.stride != 0:
        return view
    said = model.decode_each(of_newest(model.fuse(view.state), view.state), beams=1)[0]
    frames = (*view.frames, Frame(moment.start, reduced(moment.photo, SIDE), said.text))
    if len(frames) > MOST:
        return view._replace(frames=frames[::2], stride=2 * view.stride)
    return view._replace(frames=frames)
