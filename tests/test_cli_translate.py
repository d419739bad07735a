"""The commands that write: one bad input costs one line, and nothing that was asked for is passed over in silence."""

import io
import json
import sys

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, BartConfig

from mm_memgpt.cli import main
from mm_memgpt.tasks.translation import Translation
from mm_memgpt.tasks.writing_model import WritingModel
from mm_memgpt.training.vocabulary import train_vocabulary

TEXTS = ("A brown dog runs through the grass .", "Two children play in the water .", "A man climbs a rock .")
LONGEST = 12


@pytest.fixture(scope="module")
def translator(tmp_path_factory) -> str:
    """The folder of a translator into two languages that has learned nothing yet."""
    tokenizer = train_vocabulary(TEXTS, 320)
    task = Translation({}, (), {"pairs": ["en-de", "en-fr"], "decoding": {"longest": 5}})
    tokenizer.add_tokens(list(task.tags))
    torch.manual_seed(4)
    shape = {f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("layers", "attention_heads")}
    numbers = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "init_std": 0.3}
    numbers |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    numbers |= {"decoder_start_token_id": tokenizer.bos_token_id, "forced_eos_token_id": None}
    config = BartConfig(d_model=16, encoder_ffn_dim=24, decoder_ffn_dim=24, **shape, **numbers)
    folder = tmp_path_factory.mktemp("translator") / "model"
    WritingModel(AutoModelForSeq2SeqLM.from_config(config), tokenizer, task, LONGEST).save(folder)
    return str(folder)


@pytest.fixture
def command(capsys, tmp_path, monkeypatch):
    """`command("translate", ...)`: its exit status, what it wrote, and its lines on standard error."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> tuple[int, str, list[str]]:
        capsys.readouterr()
        status = main([*arguments])
        output, errors = capsys.readouterr()
        return status, output, errors.splitlines()

    return called


def test_each_sentence_is_translated_and_says_where_it_stood(command, translator, tmp_path):
    (tmp_path / "a.txt").write_text("A dog runs. A man climbs!\n")
    status, output, errors = command(
        "translate", "a.txt", "--into", "de", "--model", translator, "--device", "cpu", "--format", "json"
    )
    rows = [json.loads(line) for line in output.splitlines()]
    assert (status, errors) == (0, [])
    assert [(row["place"], row["source"]) for row in rows] == [
        ("a.txt: sentence 1", "A dog runs."),
        ("a.txt: sentence 2", "A man climbs!"),
    ]
    assert all(row["into"] == "de" for row in rows)


def test_standard_input_is_read_as_it_comes(command, translator, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"A dog runs.\nA rock.\n")))
    status, output, _ = command("translate", "-", "--into", "fr", "--model", translator, "--device", "cpu")
    assert status == 0
    assert len(output.splitlines()) == 2


def test_bad_inputs_cost_a_line_each_and_the_others_are_translated(command, translator, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(b"\x7fELF\x00\xff\xfe")
    (tmp_path / "good.txt").write_text("A rock.\n")
    asked = ("missing.txt", "empty.txt", "binary.txt", "good.txt")
    status, output, errors = command("translate", *asked, "--into", "de", "--model", translator, "--device", "cpu")
    assert status == 1
    assert len(output.splitlines()) == 1
    assert [line.split(": ")[2] for line in errors] == ["missing.txt", "empty.txt", "binary.txt"]


def test_a_sentence_longer_than_the_model_reads_is_translated_in_pieces_and_that_is_said(command, translator, tmp_path):
    (tmp_path / "long.txt").write_text("dog rock " * 12)
    status, output, [error] = command(
        "translate", "long.txt", "--into", "de", "--model", translator, "--device", "cpu", "--format", "json"
    )
    rows = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert len(rows) > 1
    assert " ".join(row["source"] for row in rows) == ("dog rock " * 12).strip()
    assert error == (
        f"long.txt: sentence 1 is longer than the {LONGEST} tokens that are read at a time; it is translated in "
        f"{len(rows)} pieces"
    )


@pytest.mark.parametrize(
    ("into", "said"), [(["--into", "xx"], "language 'xx' is unknown"), ([], "--into names no language")]
)
def test_an_unknown_language_is_refused_with_those_there_are(command, translator, into, said):
    status, output, [error] = command("translate", "--text", "A dog.", *into, "--model", translator)
    assert (status, output) == (1, "")
    assert said in error
    assert error.endswith("writes de, fr: --into de")


def test_nothing_to_translate_is_a_usage_error(command, translator):
    status, _, errors = command("translate", "--model", translator)
    assert status == 2
    assert "give FILE or --text" in errors[-1]
