"""The documentation builds without a warning, and every public part stands in its reference."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "COLUMNS": "80"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("package", 'id="mm_memgpt.pipeline.Pipeline.decode"'),
        ("encoders", 'id="mm_memgpt.encoders.image.ImageEncoder"'),
        ("memory", 'id="mm_memgpt.memory.bank.MemoryBank.write"'),
        ("datasets", 'id="mm_memgpt.datasets.base.read"'),
        ("models", 'id="mm_memgpt.models.seq2seq.MMMemGPTForSeq2SeqLM"'),
        ("cli", "mm-memgpt evaluate captions"),
    ],
)
def test_the_reference_is_made_from_the_sources(page, found, site):
    assert found in (site / "reference" / page / "index.html").read_text()


def test_nothing_is_fetched_from_elsewhere(site):
    pages = [path.read_text() for path in site.rglob("*.html")]
    assert len(pages) > 10
    assert not any("fonts.googleapis" in page or 'src="http' in page for page in pages)
