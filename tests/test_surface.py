"""What users rely on stays as it is: public names with their signatures, fields and defaults, and the command line.

Notable: both are written out one fact a line, each line complete by itself, and compared with the files in
tests/golden, so a difference reads as what was lost and what was added. Where it is meant, `python
tests/test_surface.py` writes the files anew, and the diff of the commit shows what users will see.
"""

import dataclasses
import inspect
import re
from argparse import SUPPRESS, Action, ArgumentParser, _HelpAction, _SubParsersAction
from collections.abc import Iterator
from difflib import unified_diff
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import mm_memgpt
from mm_memgpt.cli import parser

GOLDEN = Path(__file__).parent / "golden"
RENEW = "python tests/test_surface.py"
MODULES = (
    "mm_memgpt.types",
    "mm_memgpt.config",
    "mm_memgpt.presets",
    "mm_memgpt.pipeline",
    "mm_memgpt.task_pipeline",
    "mm_memgpt.training.recipe",
    "mm_memgpt.training.finetune_recipe",
)
"""Modules that users import from, or whose dataclasses they fill in (config.json, recipes), beside the package."""
EMPTY = inspect.Parameter.empty


class Spelled(str):
    """A text that `inspect` prints as it is."""

    __slots__ = ()
    __repr__ = str.__str__


def spelled(annotation: Any) -> Any:
    """An annotation without the modules its parts come from, which differ between versions of Python."""
    if annotation is EMPTY:
        return EMPTY
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return Spelled(re.sub(r"\b[A-Za-z_]\w*\.(?=\w)", "", text.replace("NoneType", "None")))


def named(default: Any) -> Any:
    """A default, a class by its name alone."""
    return Spelled(default.__name__) if inspect.isclass(default) and default is not EMPTY else default


def call(function: Any) -> str:
    """The arguments and the result of a function."""
    signature = inspect.signature(function)
    parameters = [
        each.replace(annotation=spelled(each.annotation), default=named(each.default))
        for each in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=spelled(signature.return_annotation)))


def fields(cls: type) -> list[tuple[str, Any, Any]] | None:
    """Name, type and default (or EMPTY) of what a NamedTuple or dataclass is built from; None for other classes."""
    if hasattr(cls, "_field_defaults"):
        return [(name, cls.__annotations__[name], cls._field_defaults.get(name, EMPTY)) for name in cls._fields]
    if not dataclasses.is_dataclass(cls):
        return None
    found = [field for field in dataclasses.fields(cls) if field.init]
    if list(inspect.signature(cls).parameters) != [field.name for field in found]:
        return None  # a library's base is a dataclass, and this one has a constructor of its own
    return [(field.name, field.type, default(field)) for field in found]


def default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return EMPTY if field.default is dataclasses.MISSING else field.default


def own(cls: type) -> dict[str, Any]:
    """What a class and its bases in the same package define; what a library's base brings is the library's surface."""
    package, found = cls.__module__.partition(".")[0], {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] == package:
            found.update(vars(base))
    return found


def of_class(name: str, cls: type) -> Iterator[str]:
    """The lines of a class: what it is, its fields in order or how it is built, its public methods."""
    bases = ", ".join(base.__qualname__ for base in cls.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    laid_out = fields(cls)
    names = {field for field, _, _ in laid_out or ()}
    for field, annotation, value in laid_out or ():
        yield f"{name}.{field}: {spelled(annotation)}" + ("" if value is EMPTY else f" = {value!r}")
    for member, value in sorted(own(cls).items()):
        if member in names or (member.startswith("_") and (member != "__init__" or laid_out is not None)):
            continue
        if isinstance(value, (property, cached_property)):
            getter = value.fget if isinstance(value, property) else value.func
            yield f"{name}.{member} property{call(getter)}"
        elif isinstance(value, (classmethod, staticmethod)):
            yield f"{name}.{member} {type(value).__name__}{call(value.__func__)}"
        elif inspect.isfunction(value):
            yield f"{name}.{member}{call(value)}"


def of_value(name: str, value: Any) -> Iterator[str]:
    """The lines of a class, a function or a constant; none for anything else (an alias of types, a table of types)."""
    if inspect.isclass(value):
        yield from of_class(name, value)
    elif inspect.isfunction(value):
        yield f"{name}{call(value)}"
    elif isinstance(value, dict) and all(isinstance(key, str) for key in value):
        yield f"{name} keys {tuple(value)!r}"
    elif isinstance(value, (int, str, tuple)):
        yield f"{name} = {value!r}"


def of_module(module: ModuleType) -> Iterator[str]:
    """The lines of the public names that a module itself defines."""
    source = inspect.getsource(module)
    for name, value in sorted(vars(module).items()):
        defined_here = re.search(rf"^(class|def) {name}\b|^{name}(:.*)? = ", source, re.MULTILINE)
        if not name.startswith("_") and defined_here:
            yield from of_value(f"{module.__name__}.{name}", value)


def of_package() -> Iterator[str]:
    """The lines of all that users import: the names of the package, what stands behind them, and MODULES."""
    modules = {name: import_module(name) for name in MODULES}
    for name in dir(mm_memgpt):
        value = getattr(mm_memgpt, name)
        home = getattr(value, "__module__", "mm_memgpt")
        if name == "__version__":  # the name is for ever, the value for one release
            yield "mm_memgpt.__version__"
        elif home == "mm_memgpt":
            yield from of_value(f"mm_memgpt.{name}", value)
        else:
            yield f"mm_memgpt.{name} is {home}.{value.__qualname__}"
            if home not in modules:
                yield from of_value(f"{home}.{value.__qualname__}", value)
    for module in modules.values():
        yield from of_module(module)


def of_parser(root: ArgumentParser) -> Iterator[str]:
    """The lines of a command and those below it: each with every argument and option."""
    yield root.prog
    for action in root._actions:
        if isinstance(action, _SubParsersAction):
            for command in action.choices.values():
                yield from of_parser(command)
        elif not isinstance(action, _HelpAction):
            yield f"{root.prog} {of_action(action)}"


def of_action(action: Action) -> str:
    """An argument or option: its spellings, and all that decides what may be written there."""
    names = "|".join(action.option_strings) or str(action.metavar or action.dest)
    facts = {
        "action": type(action).__name__.strip("_").removesuffix("Action"),
        "nargs": action.nargs,
        "type": getattr(action.type, "__name__", "").strip("_") or None,
        "choices": None if action.choices is None else ",".join(map(str, action.choices)),
        "default": None if action.default in (None, SUPPRESS) else repr(action.default),
        "required": True if action.option_strings and action.required else None,
    }
    return " ".join([names, *(f"{fact}={value}" for fact, value in facts.items() if value not in (None, "Store"))])


SURFACES = {"public_names.txt": of_package, "command_line.txt": lambda: of_parser(parser())}
"""Golden files, and what writes them."""


def difference(golden: str, current: str) -> str:
    """The lines lost (-) and added (+), with a few around them; empty where nothing changed."""
    return "\n".join(unified_diff(golden.splitlines(), current.splitlines(), "frozen", "now", lineterm="", n=1))


@pytest.mark.parametrize("name", SURFACES)
def test_what_users_rely_on_is_as_frozen(name):
    current = "\n".join(SURFACES[name]()) + "\n"
    golden = (GOLDEN / name).read_text(encoding="utf-8")
    if lines := difference(golden, current):
        pytest.fail(f"{lines}\n\nIf users should see this change, freeze it anew: {RENEW}", pytrace=False)


@pytest.mark.parametrize("name", SURFACES)
def test_the_surface_names_no_place_on_this_machine(name):
    text = (GOLDEN / name).read_text(encoding="utf-8")
    assert not re.search(r" at 0x|<function|<class|<factory>|/home|/tmp", text)
    assert str(Path(__file__).parents[1]) not in text


class Before(NamedTuple):
    tokens: int
    mask: int = 1


@dataclasses.dataclass(kw_only=True)
class Sizes:
    width: int
    layers: list[int] = dataclasses.field(default_factory=lambda: [1, 2])


class Reader:
    def __init__(self, path: Path | None) -> None:
        self.path = path

    @property
    def size(self) -> int:
        return 0

    @classmethod
    def build(cls, *, beams: int = 4) -> "Reader":
        return cls(None)

    def read(self, *names: str, strict: bool = True) -> list[str]:
        return [*names]

    def _hidden(self) -> None: ...


class Child(Reader, dict):
    def read(self, *names: str) -> list[str]:
        return [*names]


@pytest.mark.parametrize(
    ("cls", "lines"),
    [
        (Before, ["class x(tuple)", "x.tokens: int", "x.mask: int = 1"]),
        (Sizes, ["class x", "x.width: int", "x.layers: list[int] = [1, 2]"]),
        (
            Reader,
            [
                "class x",
                "x.__init__(self, path: Path | None) -> None",
                "x.build classmethod(cls, *, beams: int = 4) -> Reader",
                "x.read(self, *names: str, strict: bool = True) -> list[str]",
                "x.size property(self) -> int",
            ],
        ),
        (
            Child,
            [
                "class x(Reader, dict)",
                "x.__init__(self, path: Path | None) -> None",
                "x.build classmethod(cls, *, beams: int = 4) -> Reader",
                "x.read(self, *names: str) -> list[str]",
                "x.size property(self) -> int",
            ],
        ),
    ],
)
def test_a_class_is_its_fields_in_order_or_its_public_methods(cls, lines):
    assert list(of_class("x", cls)) == lines


def options(*names: str, **settings: Any) -> str:
    root = ArgumentParser(prog="tool")
    command = root.add_subparsers().add_parser("run")
    command.add_argument("inputs", nargs="+", metavar="INPUT")
    command.add_argument(*names, **settings)
    return "\n".join(of_parser(root))


@pytest.mark.parametrize(
    ("names", "settings", "change"),
    [
        (("--beam",), {"type": int, "default": 4}, "tool run --beam type=int default=4"),
        (("--beams",), {"type": int, "default": 5}, "tool run --beams type=int default=5"),
        (("--beams",), {"type": float, "default": 4}, "tool run --beams type=float default=4"),
        (
            ("--beams",),
            {"type": int, "default": 4, "choices": (1, 4)},
            "tool run --beams type=int choices=1,4 default=4",
        ),
        (("--beams",), {"type": int, "required": True}, "tool run --beams type=int required=True"),
        (("-b", "--beams"), {"type": int, "default": 4}, "tool run -b|--beams type=int default=4"),
        (("--beams",), {"action": "store_true"}, "tool run --beams action=StoreTrue nargs=0 default=False"),
    ],
)
def test_whatever_changes_in_an_option_is_seen(names, settings, change):
    frozen = options("--beams", type=int, default=4)
    assert frozen == "tool\ntool run\ntool run INPUT nargs=+\ntool run --beams type=int default=4"
    assert difference(frozen, frozen) == ""
    lines = difference(frozen, options(*names, **settings)).splitlines()
    assert lines[-2:] == ["-tool run --beams type=int default=4", f"+{change}"]


if __name__ == "__main__":
    for name, lines in SURFACES.items():
        (GOLDEN / name).write_text("\n".join(lines()) + "\n", encoding="utf-8")
