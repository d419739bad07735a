"""A teacher beside a model that learns a task: what both say, and what passes through both, of the same rows.

Notable: the teacher reads the rows with its own tokenizer, dropout off and without gradients; where its answers are all
that is imitated, they are kept by the text, so that it reads every text once; it is no part of the model that is saved,
nor are the maps between the widths of the two.

b rows   k width of keys
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.layers import Reading, recorded
from mm_memgpt.objectives.imitation import FURTHER, TeacherConfig, key_loss
from mm_memgpt.tasks.base import Batch, Example, Prediction, Task
from mm_memgpt.tasks.folder import is_task_folder
from mm_memgpt.tasks.model import TaskModel
from mm_memgpt.tasks.saved import read_saved
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.training.teacher_layers import attention_losses, hidden_loss, meeting
from mm_memgpt.types import InputError

Model = TaskModel | WritingModel
Collate = Callable[[Sequence[Example]], dict[str, Any]]
DIGEST = 8
"""Bytes that a text is known by."""

PROBE = "\u00dcber Who's  there? It's 42\u00b0, un-named\n\u5317\u4eac!"
"""A sentence that tokenizers differ in."""


BESIDE = ("teacher", "known")
"""What a batch holds beside what the student reads: what its teacher does, and what tells the texts apart."""


class Taught(nn.Module):
    """A student with the maps from its widths to its teacher's, which are left behind afterwards.

    Args:
        student: what is to be kept.
        maps: a map for each pair of layers that meet, and `key`.
    """

    def __init__(self, student: Model, maps: nn.ModuleDict) -> None:
        super().__init__()
        self.student, self.maps = student, maps

    def forward(self, losses: Callable[["Taught", Batch], dict[str, Tensor]], batch: Batch) -> dict[str, Tensor]:
        """The losses of a batch; what is called through here is in the precision of the run."""
        return losses(self, batch)


def read_teacher(how: TeacherConfig, student: Model, task: Task) -> Model:
    """The teacher of a recipe, frozen and in evaluation mode.

    Raises:
        InputError: no such model, one of another task or other labels, or one that cannot teach this student.
    """
    place = how.model
    teacher = read_writer(place, "cpu") if task.writes and not is_task_folder(place) else read_saved(Path(place))
    known = teacher.task
    if known is not None and known.name != task.name:
        raise InputError(f"{place}: a model of {known.name} cannot teach {task.name}; name one trained for that task")
    try:
        task.translated(torch.zeros(1, max(1, len(known.labels) if known else 1)), known)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    given = {role.removesuffix("_pair") for role in task.inputs if role in task.columns}
    if task.writes:
        _check_writers(place, student, teacher, task)
    elif odd := sorted(given - {*teacher.backbone.reads}):
        raise InputError(f"{place}: reads no {odd[0]}; name a teacher that does")
    _check_layers(how, student, teacher, given)
    if task.writes and how.keys:
        raise InputError(f"{place}: a model that writes has no keys; set keys to 0")
    if how.attention and not alike(student, teacher):
        raise InputError(
            f"{place}: reads texts in other tokens, or other lengths, than the student, so their attention maps "
            "cannot be compared; set attention to 0"
        )
    return teacher.requires_grad_(False).eval()


def _check_writers(place: str, student: WritingModel, teacher: WritingModel, task: Task) -> None:
    """Refuses a teacher that cannot write the student's tokens, and lets it read as many as the student."""
    if student.tokenizer.get_vocab() != teacher.tokenizer.get_vocab():
        raise InputError(
            f"{place}: has another vocabulary than the student, whose words it cannot teach; name one with it"
        )
    if student.encodes != teacher.encodes:
        kinds = {True: "an encoder-decoder", False: "a causal model"}
        raise InputError(
            f"{place}: {kinds[teacher.encodes]} cannot teach {kinds[student.encodes]}; name one of its kind"
        )
    if not teacher.remembers and ("memory" in task.columns or task.options["remember"]):
        raise InputError(f"{place}: has no memory for sentences; name a teacher that is nano or a folder of ours")
    longest = teacher.processor.longest = student.processor.longest
    most = longest if teacher.encodes else 2 * longest
    if teacher.room is not None and teacher.room < min(most, student.room or most):
        least = teacher.room if teacher.encodes else teacher.room // 2
        raise InputError(
            f"{place}: holds {teacher.room} tokens, too few for the student's texts; set longest to {least}"
        )


def _check_layers(how: TeacherConfig, student: Model, teacher: Model, given: set[str]) -> None:
    if (how.hidden or how.attention) and "text" not in given:
        raise InputError(f"{how.model}: hidden states and attention maps are of texts; set hidden and attention to 0")
    for name, model in ((how.model, teacher), ("the student", student)):
        if how.hidden and not reader(model).layers:
            raise InputError(f"{name}: has no layers that read text; set hidden to 0")
        if how.attention and not reader(model).looking:
            raise InputError(f"{name}: shows no attention maps, as no model of this package does; set attention to 0")


def reader(model: Model) -> nn.Module:
    """What is called with a batch."""
    return model if isinstance(model, WritingModel) else model.backbone


def alike(student: Model, teacher: Model) -> bool:
    """Whether both read a text as the very same tokens."""
    one, other = (reader(model).processor for model in (student, teacher))
    if type(one) is not type(other) or vars(one).keys() != vars(other).keys():
        return False
    same = (_told(getattr(one, name)) == _told(getattr(other, name)) for name in vars(one))
    return all(same)


def _told(value: Any) -> Any:
    """What tells one part of a processor from another: of a tokenizer, its words and what it makes of a sentence."""
    tokenizer = getattr(value, "tokenizer", value)
    if isinstance(tokenizer, PreTrainedTokenizerBase):
        return tokenizer.get_vocab(), tokenizer(PROBE, PROBE)["input_ids"]
    return value


class Teaching:
    """The objective of a student: its task's loss and those of imitation.

    Args:
        task: what both do.
        teacher: as `read_teacher` gives it.
        how: weights of the losses.
    """

    def __init__(self, task: Task, teacher: Model, how: TeacherConfig) -> None:
        self.task, self.teacher, self.how = task, teacher, how
        self.cache: dict[int, Tensor] = {}

    @property
    def keeps(self) -> bool:
        """Whether what the teacher says of a text is kept: nothing but that is imitated, and rows are texts alone."""
        return not {"image", "sound"} & self.task.columns.keys() and not any(getattr(self.how, n) for n in FURTHER)

    def __call__(self, taught: Taught, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """The weighted sum of the losses and each of them; of a student that is validated, its task's alone."""
        return taught(self._losses, batch)

    def _losses(self, taught: Taught, batch: Batch) -> dict[str, Tensor]:
        own = {name: value for name, value in batch.items() if name not in BESIDE}
        if not taught.training:
            return self.task.objective(taught.student, own)
        read = batch.get("teacher", own)
        with recording(taught.student, self.how) as readings:
            answers = self.task.answers(taught.student, own)
        said, theirs = self._said(read, batch.get("known"))
        parts = {}
        if self.how.labels:
            parts["labels"] = self.task.loss(answers, own)
        if self.how.logits:
            parts["logits"] = self.task.imitation(answers, said, own, read, self.how.temperature)
        if self.how.hidden:
            parts["hidden"] = hidden_loss(taught.maps, readings, theirs)
        if self.how.attention:
            parts["attention"] = attention_losses(readings, theirs)
        if self.how.keys:
            keys, due = (self._keys(*each) for each in ((answers, readings), (said, theirs)))
            mapped = [key_loss(taught.maps["key"](one), other) for one, other in zip(keys, due, strict=True)]
            parts["keys"] = torch.stack(mapped).mean()
        return {"loss": sum(getattr(self.how, name) * value for name, value in parts.items()), **parts}

    @torch.no_grad()
    def label(self, inputs: Sequence[Inputs], device: torch.device) -> list[Prediction]:
        """What the teacher says of a few rows that it reads on a device."""
        read = self.task.prepare(reader(self.teacher).processor, inputs)
        read = {name: value.to(device) for name, value in read.items()}
        known = torch.tensor([number_of(each) for each in inputs]) if self.keeps else None
        said, _ = self._said(read, known)
        examples = [Example(each) for each in inputs]
        return self.task.decode(said.float().cpu(), {name: value.cpu() for name, value in read.items()}, examples)

    def _keys(self, answers: Any, readings: Sequence[Reading]) -> list[Tensor]:
        return self.task.imitated_keys(answers, [each.output for each in readings])

    @torch.no_grad()
    def _said(self, read: Batch, known: Tensor | None) -> tuple[Any, list[Reading]]:
        """What the teacher says of a batch, and what passed through it; it is not asked where it said so before."""
        texts = [] if known is None else known.tolist()
        new = [place for place, each in enumerate(texts) if each not in self.cache]
        if len(new) < len(texts):
            if new:
                self._said({name: value[new] for name, value in read.items()}, known[new])
            return torch.stack([self.cache[each] for each in texts]).to(known.device), []
        self.teacher.to(next(iter(read.values())).device)
        with recording(self.teacher, self.how) as readings:
            answers = self.task.answers(self.teacher, read)
        said = self.task.translated(answers, self.teacher.task)
        if texts and isinstance(said, Tensor) and said.ndim == 2:  # a row a text
            self.cache |= dict(zip(texts, said.float().cpu(), strict=True))
        return said, readings

    def widths(self, student: Model, batch: Mapping[str, Any]) -> nn.ModuleDict:
        """The maps that this student needs, by what a first batch shows."""
        own, maps = {name: value for name, value in batch.items() if name not in BESIDE}, nn.ModuleDict()
        training = student.training
        with torch.no_grad(), recording(student.eval(), self.how) as readings:
            answers = self.task.answers(student, own)
        student.train(training)
        said, theirs = self._said(batch.get("teacher", own), batch.get("known"))
        if self.how.hidden:
            for name, one, other in meeting(readings[0], theirs[0]):
                maps[name] = between(one.shape[-1], other.shape[-1])
        if self.how.keys:
            one, other = (self._keys(*each)[0] for each in ((answers, readings), (said, theirs)))
            maps["key"] = between(one.shape[-1], other.shape[-1])
        return maps


def between(width: int, other: int) -> nn.Module:
    """A linear map from one width to another, nothing where they are the same."""
    return nn.Identity() if width == other else nn.Linear(width, other)


@contextmanager
def recording(model: Model, how: TeacherConfig) -> Iterator[list[Reading]]:
    """What passes through a model, as far as it is imitated."""
    seen = (reader(model).layers if how.hidden else (), reader(model).looking if how.attention else ())
    with recorded(reader(model), *seen) as readings:
        yield readings


class CollateTaught:
    """Examples to a batch, with what the teacher reads of them; it reaches a loader's worker processes.

    Args:
        collate: of the student.
        other: of a teacher that reads other tokens.
        known: whether texts are told apart, to ask the teacher about each once.
    """

    def __init__(self, collate: Collate, other: Collate | None, known: bool) -> None:
        self.collate, self.other, self.known = collate, other, known

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        batch = self.collate(examples)
        if self.other is not None:
            batch["teacher"] = self.other(examples)
        if self.known:
            batch["known"] = torch.tensor([number_of(each.inputs) for each in examples])
        return batch


def number_of(inputs: Inputs) -> int:
    """A number for the texts of a row."""
    told = json.dumps([inputs.text, inputs.text_pair]).encode()
    return int.from_bytes(blake2b(told, digest_size=DIGEST).digest(), "big", signed=True)


def taught_by(
    how: TeacherConfig, student: Model, task: Task, collate: Collate, examples: Sequence[Example]
) -> tuple[Taught, Teaching, CollateTaught]:
    """A student beside its teacher, what they learn by, and what makes batches for both.

    Args:
        how: the teacher and the weights of the losses.
        student: as it begins.
        task: what it learns.
        collate: what makes the student's batches.
        examples: of training; the first of them says how wide both are.

    Raises:
        InputError: a teacher that cannot be read, or cannot teach this.
    """
    teacher = read_teacher(how, student, task)
    texts = not {"image", "sound"} & task.columns.keys()
    other = None if texts and alike(student, teacher) else task.collate(reader(teacher).processor)
    teaching = Teaching(task, teacher, how)
    both = CollateTaught(collate, other, teaching.keeps)
    return Taught(student, teaching.widths(student, both([examples[0]]))), teaching, both
