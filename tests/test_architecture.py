"""The house rules, read from the source: imports point down, are absolute, and what is packaged is what is there."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "mm_memgpt": ROOT / "mm_memgpt",
    "mm_memgpt.encoders": ROOT / "encoders",
    "mm_memgpt.datasets": ROOT / "datasets",
}
"""Packages by name and where the checkout keeps them."""
PHOTOS = {"mm_memgpt.photos": ROOT / "demos" / "photos"}
"""What is packaged beside code."""

FLOORS = (
    {"types", "config", "presets", "words", "interrupt"},
    {"layers", "datasets"},
    {"memory", "encoders", "kinds"},
    {"fusion"},
    {"models"},
    {"objectives", "knowledge", "perception", "backbones", "evaluation"},
    {"tasks"},
    {"training", "explain", "steps"},
    {"recollection"},
    {"pipeline", "task_pipeline"},
    {"summaries", "translations"},
    {"serve"},
    {"commands", "arguments"},
    {"cli_memory", "cli_tasks", "cli_writing"},
    {"cli"},
    {"__main__"},
)
"""Parts of mm_memgpt from the ground up. A part imports from the floors below it and from itself."""


def floor(part: str) -> int:
    for number, parts in enumerate(FLOORS):
        if part in parts:
            return number
    raise KeyError(f"{part!r} has no floor; give it one in FLOORS")


def sources() -> dict[str, Path]:
    """Dotted name and file of every module of ours."""
    return {
        ".".join([package, *path.relative_to(folder).with_suffix("").parts]): path
        for package, folder in FOLDERS.items()
        for path in folder.rglob("*.py")
    }


def imports(text: str) -> list[str]:
    """Names of all modules a source imports, wherever in it; a relative import keeps its dots."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            found += [f"{module}.{alias.name}" for alias in node.names] if module == "mm_memgpt" else [module]
    return found


def violations(name: str, text: str) -> list[str]:
    """What a module of ours imports against the rules, as readable lines."""
    part, found = name.split(".")[1], []
    for target in imports(text):
        if target.startswith("."):
            found.append(f"{name} imports {target}: relative")
        elif target == "mm_memgpt":
            found.append(f"{name} imports mm_memgpt: the facade is for users; import the part")
        elif target.startswith("mm_memgpt.") and part != "__init__":
            other = target.split(".")[1]
            if not (other == part or floor(other) < floor(part) or floor(other) == floor(part) == 0):
                found.append(f"{name} (floor {floor(part)}) imports {target} (floor {floor(other)}): not down")
    return found


def test_imports_are_absolute_and_point_down():
    assert [line for name, path in sources().items() for line in violations(name, path.read_text())] == []


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("mm_memgpt.layers.gate", "from mm_memgpt.models.decoder import Decoder", "not down"),
        ("mm_memgpt.layers.gate", "def late():\n    import mm_memgpt.training.run", "not down"),
        ("mm_memgpt.memory.bank", "from mm_memgpt.encoders.image import ImageEncoder", "not down"),
        ("mm_memgpt.encoders.image", "from mm_memgpt import cli", "not down"),
        ("mm_memgpt.pipeline", "import mm_memgpt", "facade"),
        ("mm_memgpt.fusion.fuser", "from .graph import Graph", "relative"),
    ],
)
def test_an_import_against_the_rules_is_seen(name, text, reason):
    [line] = violations(name, text)
    assert reason in line


def test_every_folder_with_code_is_packaged():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    with_code = {name.rpartition(".")[0] for name in sources()}
    assert set(settings["packages"]) == with_code | PHOTOS.keys()
    assert {package: ROOT / folder for package, folder in settings["package-dir"].items()} == FOLDERS | PHOTOS


def test_every_package_has_a_short_init():
    inits = {name: path for name, path in sources().items() if path.name == "__init__.py"}
    assert {name.rpartition(".")[0] for name in sources()} == {name.rpartition(".")[0] for name in inits}
    assert [name for name, path in inits.items() if path.read_text().count("\n") > 60] == []


def test_every_module_says_what_it_is():
    assert [name for name, path in sources().items() if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_hugging_face_datasets_is_imported_in_one_file_at_most():
    users = {name for name, path in sources().items() if "datasets" in imports(path.read_text())}
    assert users <= {"mm_memgpt.datasets.hub"}


def test_no_drawer_for_odds_and_ends():
    assert [name for name in sources() if name.rpartition(".")[2] in {"utils", "helpers", "common", "misc"}] == []


def test_tests_are_no_package():
    assert [*ROOT.glob("tests/**/__init__.py"), *ROOT.glob("conftest.py")] == []
