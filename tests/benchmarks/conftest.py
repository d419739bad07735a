"""The benchmarks are no package, so the tests put the checkout on the path; what they compare is tiny here."""

import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

sys.path.append(str(Path(__file__).parents[2]))


@pytest.fixture(scope="session")
def tokenizer(tiny_model_folder):
    return AutoTokenizer.from_pretrained(tiny_model_folder)


@pytest.fixture
def size(tokenizer):
    from benchmarks.rows import Size

    return Size(preset="tiny", tokenizer=tokenizer, channels=7, cells=3)
