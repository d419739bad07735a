"""Claims about how readers of long text learn."""

import pytest
import torch
import yaml

from mm_memgpt.cli import main
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.long_text_files import read_reader
from mm_memgpt.objectives.long_text import ReadingOn
from mm_memgpt.training.corpus import Document
from mm_memgpt.training.long_text import LongTextRecipe, Stretches, Words, train, words_of
from mm_memgpt.training.recipe import Optimiser
from mm_memgpt.types import InputError

SMALL = {"segment": 6, "window": 7, "items": 3, "slots": 8, "ring": 2, "key_width": 5}


def document(tokens: int) -> Words:
    return Words(torch.arange(tokens), torch.arange(tokens) // 3, 5 * tokens)


def test_a_stretch_is_the_same_whoever_asks_and_lies_in_one_document():
    documents = [document(30), document(5), document(21)]
    first, second = (Stretches(documents, 20, 40, seed=7) for _ in range(2))
    for index in (3, 39, 0):
        found = first[index]["input_ids"]
        assert found.equal(second[index]["input_ids"])
        assert found.diff().unique().tolist() == [1]
    begins = {first[index]["input_ids"][0].item() for index in range(40)}
    assert begins <= set(range(11))
    assert len(begins) > 5


def test_validation_is_spread_over_all_documents():
    found = Stretches([document(30), document(30)], 20, 4, seed=None)
    assert [found[index]["input_ids"][0].item() for index in range(4)] == [2, 8, 2, 8]


def test_texts_shorter_than_a_stretch_are_refused():
    with pytest.raises(InputError, match="notes: the longest text has 5 tokens, a stretch 20; take fewer segments"):
        Stretches([document(5)], 20, 4, seed=1, name="notes")


def test_a_document_becomes_tokens_that_know_their_sentence(tiny_model_folder):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model_folder)
    found = words_of(Document("a.txt", ("A dog runs.", "A man climbs.")), tokenizer)
    assert tokenizer.decode(found.ids) == "A dog runs. A man climbs."
    assert found.characters == 25
    assert found.place.unique().tolist() == [0, 1]


def test_the_loss_is_of_all_tokens_and_gradients_end_where_they_are_cut(tiny_model_folder):
    from mm_memgpt.models.long_text_files import start

    model = start(str(tiny_model_folder), LongTextConfig(**SMALL, writes="none")).model
    batch = {"input_ids": torch.randint(3, 50, (2, 24)), "place": torch.zeros(2, 24, dtype=torch.long)}
    found = [ReadingOn(through)(model, batch) for through in (1, 4)]
    torch.testing.assert_close(found[0]["loss"], found[1]["loss"])
    gradients = [torch.autograd.grad(each["loss"], model.embeddings.weight)[0] for each in found]
    assert not torch.allclose(*gradients)


@pytest.mark.slow
def test_a_run_that_is_gone_on_with_ends_as_an_unbroken_one(tiny_model_folder, tmp_path):
    text = tmp_path / "book.txt"
    text.write_text("\n".join(f"Number {n} is a man who climbs rock {n + 1}." for n in range(60)), encoding="utf-8")

    def recipe(output: str, epochs: float) -> LongTextRecipe:
        return LongTextRecipe(
            start=str(tiny_model_folder),
            train=str(text),
            val=str(text),
            output=str(tmp_path / output),
            reads=LongTextConfig(**SMALL),
            optimiser=Optimiser(epochs=epochs, batch=2),
            segments=4,
            through=2,
            stretches=8,
            val_stretches=2,
            checkpoints=2,
        )

    unbroken = train(recipe("whole", 1))
    train(recipe("parts", 1))
    for each in (tmp_path / "parts").glob("checkpoint-4"):
        for file in each.iterdir():
            file.unlink()
        each.rmdir()
    again = train(recipe("parts", 1), resume=True)
    assert again["eval_loss"] == pytest.approx(unbroken["eval_loss"], abs=1e-5)
    assert read_reader(tmp_path / "parts").model.reads == LongTextConfig(**SMALL)


def test_the_command_that_pretrains_takes_a_recipe_of_a_reader(tiny_model_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.txt").write_text("A dog runs. A man climbs a rock. Two children play.\n" * 20)
    values = {"start": str(tiny_model_folder), "train": "long.txt", "val": "long.txt", "output": "out"}
    values |= {"reads": SMALL, "segments": 3, "through": 2, "stretches": 2, "val_stretches": 1, "checkpoints": 1}
    values |= {"optimiser": {"epochs": 1, "batch": 1}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    assert main(["pretrain", "recipe.yaml"]) == 0
    assert "eval_loss=" in capsys.readouterr().out
    assert read_reader("out").model.bank is not None
