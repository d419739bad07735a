"""The card's measured sections are written anew, by one command, and nothing else of it is touched."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mm_memgpt.cli import main

CARD = "# Tiny\nabout\n" + "".join(
    f"<!-- {name}:start -->\nold\n<!-- {name}:end -->\nafter {name}\n"
    for name in ("parts", "runs", "figures", "examples")
)


@pytest.fixture
def folder(tmp_path, tiny_model_folder, monkeypatch) -> Path:
    """The folder of a model with a card, beside four photos with captions and the report of a run."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_model_folder, "tiny")
    Path("tiny/README.md").write_text(CARD)
    for seed in range(4):
        blocks = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
        Image.fromarray(blocks).save(f"{seed}.png")
    photos = pa.array([{"bytes": Path(f"{seed}.png").read_bytes(), "path": None} for seed in range(4)])
    pq.write_table(pa.table({"image": photos, "captions": [["a dog runs", "grass"]] * 4}), "few.parquet")
    Path("runs/captions").mkdir(parents=True)
    report = {"samples": 1234, "seconds": 56, "eval_loss": 2.5, "hardware": "abacus"}
    Path("runs/captions/report.json").write_text(json.dumps(report))
    return tmp_path


def card(*arguments: str) -> int:
    return main(["card", "--model", "tiny", "--data", "few.parquet", "--device", "cpu", "--beams", "2", *arguments])


def test_every_section_is_measured_and_the_words_around_them_stay(folder, monkeypatch):
    from mm_memgpt.commands import card as command

    monkeypatch.setattr(command, "good", lambda captions, references: np.array([True, False, True, False]))
    assert card("--reports", "runs/captions/report.json") == 0
    text = Path("tiny/README.md").read_text()
    assert text.startswith("# Tiny\nabout\n<!-- parts:start -->\n| part | parameters |\n")
    assert all(f"<!-- {name}:end -->\nafter {name}\n" in text for name in ("parts", "runs", "figures", "examples"))
    assert "\nold\n" not in text
    assert "| captions | 1,234 | 56 | 2.500 | abacus |" in text
    assert "| photo to text recall@10 | 1.000 | 1.000 to 1.000 |" in text
    assert all(f"\n| {name} | " in text for name in ("CIDEr", "BLEU-4", "calibration error", "AUROC", "text encoder"))
    assert "4 photos, beam 2: " in text


def test_a_card_without_its_markers_or_a_broken_report_is_one_line_and_stays(folder, capsys):
    Path("runs/captions/report.json").write_text("{}")
    assert card("--reports", "runs/captions/report.json") == 1
    Path("tiny/README.md").unlink()
    assert card() == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("mm-memgpt: error: runs/captions/report.json: not a training run's report.json (")
    assert second.startswith("mm-memgpt: error: tiny/README.md: no such file; ")


def test_all_sections_are_written_or_none(folder):
    from mm_memgpt.evaluation.markers import replace_sections
    from mm_memgpt.types import InputError

    with pytest.raises(InputError, match="no lines <!-- nothing:start -->"):
        replace_sections(Path("tiny/README.md"), {"parts": "new", "nothing": "new"})
    assert Path("tiny/README.md").read_text() == CARD
    replace_sections(Path("tiny/README.md"), {"parts": r"a \1 new"})
    assert Path("tiny/README.md").read_text() == CARD.replace("old", r"a \1 new", 1)
