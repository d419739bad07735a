"""Installed and in the checkout, both packages called `datasets` are found, and the wheel holds all there is to run."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import mm_memgpt

ROOT = Path(__file__).parents[1]
BOTH = """
import {first}, {second}
import datasets, mm_memgpt.datasets
from pathlib import Path
root = Path({root!r})
assert root not in Path(datasets.__file__).parents, datasets.__file__
assert datasets.Dataset.from_dict({{"a": [1, 2]}})["a"][:] == [1, 2]
homes = root, Path(mm_memgpt.__file__).parent
assert Path(mm_memgpt.datasets.__file__).parent in [home / "datasets" for home in homes], mm_memgpt.datasets.__file__
assert not hasattr(mm_memgpt.datasets, "Dataset")
"""


def python(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def both(first: str, second: str) -> str:
    return BOTH.format(first=first, second=second, root=str(ROOT))


def test_a_notebook_in_the_checkout_finds_both_datasets():
    """A notebook, as `python -c`, puts the folder it starts in first on sys.path."""
    run = python("-c", both("datasets", "mm_memgpt.datasets"))
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("command", ["pytest", "python -m pytest"])
def test_pytest_finds_both_datasets(command, tmp_path):
    (tmp_path / "test_both.py").write_text(f"def test_both():\n    exec({both('mm_memgpt.datasets', 'datasets')!r})\n")
    options = ["-q", "-p", "no:cacheprovider", f"--config-file={ROOT / 'pyproject.toml'}", str(tmp_path)]
    if command == "pytest":
        run = subprocess.run(
            [Path(sys.executable).with_name("pytest"), *options], cwd=ROOT, capture_output=True, text=True
        )
    else:
        run = python("-m", "pytest", *options)
    assert "1 passed" in run.stdout, run.stdout + run.stderr


@pytest.mark.slow
def test_a_training_loop_starts_in_the_checkout():
    """transformers' Trainer imports `datasets` by its bare name."""
    run = python("-c", "from transformers import Trainer; import datasets; print(datasets.__version__)")
    assert run.stdout.strip() == importlib.metadata.version("datasets"), run.stderr


def test_without_hugging_face_datasets_the_shadow_says_what_to_do():
    run = python("-S", "-c", "import datasets")  # -S leaves site-packages out
    assert "import mm_memgpt.datasets" in run.stderr
    assert "pip install datasets" in run.stderr


def test_the_package_loads_nothing_heavy_until_it_is_used():
    run = python("-c", "import mm_memgpt, sys; print({'torch', 'transformers', 'numpy'} & set(sys.modules))")
    assert run.stdout.strip() == "set()", run.stderr


def test_every_public_name_can_be_had():
    run = python("-c", "import mm_memgpt; [getattr(mm_memgpt, name) for name in dir(mm_memgpt)]")
    assert run.returncode == 0, run.stderr


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'lode'; it offers .*\bload\b"):
        _ = mm_memgpt.lode


def test_the_version_is_the_installed_one():
    assert importlib.metadata.version("mm-memgpt") == mm_memgpt.__version__
    assert re.search(rf"^## \[{re.escape(mm_memgpt.__version__)}\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


@pytest.mark.slow
def test_the_wheel_holds_every_module_under_one_name_and_nothing_else(tmp_path):
    ignore = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "runs", "tests")
    shutil.copytree(ROOT, tmp_path / "tree", ignore=ignore)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    run = python("-c", build, folder=tmp_path / "tree")
    assert run.returncode == 0, run.stderr
    [wheel] = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    kept = {
        f"mm_memgpt/{path.relative_to(base).as_posix()}"
        for folder, base in (
            ("mm_memgpt", ROOT / "mm_memgpt"),
            ("encoders", ROOT),
            ("datasets", ROOT),
            ("demos/photos", ROOT / "demos"),
        )
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == kept
    assert {"mm_memgpt/py.typed", "mm_memgpt/encoders/image.py", "mm_memgpt/weights/nano/model.safetensors"} <= names
    assert wheel.stat().st_size < 30e6, "nano may take 25 MB"
