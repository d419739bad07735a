"""Facts as a user gives them: triples in Python or in files, each checked, named, and with who says so.

Notable: a file is streamed, and a row that cannot be used comes as an InputError in its place; a tuple of strings
is one fact and any other collection holds several, so a str among them is the path of a file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from mm_memgpt.datasets.entity_names import name_of, read_names
from mm_memgpt.datasets.triples import PARTS, Triple, instant, read_triples
from mm_memgpt.knowledge.reading import call, is_label, tail_id
from mm_memgpt.recollection.inputs import called
from mm_memgpt.types import Fact, InputError

NOBODY = "facts"
"""The source of facts of which nothing says where they come from."""

FilePath = str | PathLike[str]
OneFact = Fact | Triple | tuple[str, str, str]
Facts = OneFact | FilePath | Iterable[OneFact | FilePath]
"""One fact, a file of them, or any number of both."""


class Told(NamedTuple):
    """A fact, and who says so."""

    fact: Fact
    source: str


@dataclass(kw_only=True)
class Telling:
    """How what is given is read."""

    source: str | None = None
    """Who says all of it; by default each triple's own source, the file it is in, or NOBODY."""
    names: FilePath | Mapping[str, str] | None = None
    """What identifiers are called: by identifier, or a file of both."""
    split_at: str | None = None
    """What parts a name from its description, in a file of names."""
    where: Mapping[str, Any] | None = None
    """Column of a file to the value, or values, that a row must hold."""
    _names: dict[str, str] = field(default_factory=dict, init=False)
    _labels: dict[str, dict[str, int]] = field(default_factory=dict, init=False)

    def read(self, facts: Facts) -> Iterator[Told | InputError]:
        """Each fact, and what is wrong with each that cannot be used.

        Raises:
            InputError: the file of names cannot be used, without which facts would be kept under identifiers.
        """
        yield from self._read_names()
        for number, value in enumerate([facts] if is_one(facts) else facts, 1):
            try:
                if isinstance(value, (str, PathLike)):
                    yield from self._file(value)
                else:
                    yield from self._one(value, f"fact {number}", NOBODY)
            except InputError as error:
                yield error

    def _read_names(self) -> Iterator[InputError]:
        if self.names is None or isinstance(self.names, Mapping):
            self._names.update(self.names or {})
            return
        for name in read_names(self.names, split_at=self.split_at):
            if isinstance(name, InputError):
                yield name
            else:
                self._names.setdefault(name.id, name.text)

    def _file(self, path: FilePath) -> Iterator[Told | InputError]:
        if Path(path).suffix.lower() == ".nt":  # its labels may stand behind the triples that they name
            for row in read_triples(path, where=self.where):
                if not isinstance(row, InputError) and is_label(row):
                    call(self._labels, row)
        is_empty = True
        for row in read_triples(path, where=self.where):
            is_empty = False
            if isinstance(row, InputError):
                yield row
            else:
                yield from self._one(row, row.place, called(path))
        if is_empty and self.where:
            given = ", ".join(self.where)
            raise InputError(f"{path}: no row is chosen by where ({given}); give values that its rows hold")
        if is_empty:
            raise InputError(f"{path}: holds no fact; write head, relation and tail, one fact a line")

    def _one(self, value: Any, place: str, source: str) -> Iterator[Told | InputError]:
        """The fact that a value is; none where it only says what something is called."""
        own = value.source if isinstance(value, Triple) else None
        if isinstance(value, Triple) and is_label(value):
            call(self._labels, value)
            return
        try:
            fact = self._named(checked(value, place))
            _check_encodes(fact, place)
            yield Told(fact, self.source or own or source)
        except InputError as error:
            yield error

    def _named(self, fact: Fact) -> Fact:
        return fact._replace(
            head_name=self._name(fact.head, fact.head_name),
            relation_name=self._name(fact.relation, fact.relation_name),
            tail_name=self._name(fact.tail, fact.tail_name),
        )

    def _name(self, id: str, given: str) -> str:
        """What an identifier is called; "" where it says so itself."""
        name = given or self._names.get(id) or next(iter(self._labels.get(id, ())), "")
        name = " ".join(name.split())
        return "" if name == name_of(id) else name


def is_one(facts: Any) -> bool:
    """Whether it is one fact or file, and no collection of them."""
    of_strings = isinstance(facts, tuple) and bool(facts) and isinstance(facts[0], str)
    return of_strings or isinstance(facts, (str, PathLike, Fact, Triple)) or not isinstance(facts, Iterable)


def checked(value: Any, place: str) -> Fact:
    """A value as a fact.

    Raises:
        InputError: it is none; the message begins with its place.
    """
    fact = _as_fact(value, place)
    for name in PARTS:
        part = getattr(fact, name)
        if not isinstance(part, str) or not part.strip():
            raise InputError(f"{place}: no {name}; give one as a text, or leave the fact out")
    since, until = _time(fact.since, place, "since", -inf), _time(fact.until, place, "until", inf)
    if until <= since:
        raise InputError(f"{place}: holds until {fact.until}, not after {fact.since}; give the later time last")
    return fact._replace(since=since, until=until, **{name: getattr(fact, name).strip() for name in PARTS})


def _as_fact(value: Any, place: str) -> Fact:
    if isinstance(value, Fact):
        return value
    if isinstance(value, Triple):
        name = value.tail if value.literal else ""
        return Fact(value.head, value.relation, tail_id(value), value.since, value.until, tail_name=name)
    if isinstance(value, (tuple, list)) and len(value) == len(PARTS):
        return Fact(*value)
    what = f"{len(value)} parts" if isinstance(value, (tuple, list)) else f"a {type(value).__name__}"
    raise InputError(f"{place}: {what}, where a fact is (head, relation, tail); a Fact also says for how long")


def _time(value: Any, place: str, name: str, ever: float) -> float:
    if value in (-inf, inf):
        return value
    if isinstance(value, float) and isnan(value):
        raise InputError(f"{place}: nan in {name} is no time; give seconds in Unix time, or leave it out")
    found = instant(value, place, name)
    return ever if found is None else found


def _check_encodes(fact: Fact, place: str) -> None:
    try:
        "".join(part for part in fact if isinstance(part, str)).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{place}: holds what is no character; give texts that UTF-8 can hold") from error
