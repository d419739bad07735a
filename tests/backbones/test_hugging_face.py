import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.types import InputError

TEXTS = ("A man rides a horse .", "who is the dog ?", "x")


def read(backbone, *inputs):
    with torch.inference_mode():
        return backbone(
            backbone.processor([Inputs(*each) if isinstance(each, tuple) else Inputs(each) for each in inputs])
        )


def test_features_are_the_librarys_own_hidden_states(family, folder_of):
    tokenizer = AutoTokenizer.from_pretrained(folder_of(family))
    model = AutoModel.from_pretrained(folder_of(family)).eval()
    model = model.get_encoder() if family in ("t5", "bart", "marian") else model
    features = read(build(folder_of(family)), *TEXTS)
    for row, text in enumerate(TEXTS):
        batch = tokenizer(text, return_tensors="pt")
        batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            expected = model(**batch).last_hidden_state[0]
        found = features.tokens[row, 0, features.mask[row, 0]]
        assert found.shape == (len(expected), 16)
        torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-5)


def test_keys_are_of_unit_length_and_padding_changes_nothing(family, folder_of):
    backbone = build(folder_of(family))
    alone, together = read(backbone, TEXTS[2]), read(backbone, *TEXTS)
    torch.testing.assert_close(together.key[2], alone.key[0], atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(together.key.norm(dim=-1), torch.ones(3, 1))


def test_every_parameter_that_reads_gets_a_gradient(family, folder_of):
    backbone = build(folder_of(family), longest=24)
    features = backbone(backbone.processor([Inputs("a man", "the dog runs")]))
    features.tokens.square().sum().backward()
    blind = [name for name, value in backbone.named_parameters() if value.grad is None and value.requires_grad]
    unread = (
        ("pooler", "embed_positions.weight") if family == "marian" else ("pooler",)
    )  # its sinusoids stay as they are
    assert [name for name in blind if not any(part in name for part in unread)] == []


def test_it_saves_what_it_is_built_from(family, folder_of, tmp_path):
    backbone = build(folder_of(family))
    backbone.save(tmp_path)
    torch.testing.assert_close(read(build(tmp_path), *TEXTS).tokens, read(backbone, *TEXTS).tokens)


def test_a_decoder_is_pooled_where_it_has_heard_all(folder_of):
    pooled = {family: build(folder_of(family)).pooling for family in ("bert", "gpt2", "llama", "t5", "bart")}
    assert pooled == {"bert": "mean", "gpt2": "last", "llama": "last", "t5": "mean", "bart": "mean"}


def test_the_two_texts_of_a_pair_are_told_apart(folder_of):
    backbone = build(folder_of("bert"))
    batch = backbone.processor([Inputs("who is", "the dog runs"), Inputs("x", "y")])
    assert batch["part"][0, 0].tolist() == [-1, 0, 0, -1, 1, 1, 1, -1]
    assert batch["token_type_ids"][0, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert batch["part"][1, 0].tolist() == [-1, 0, -1, 1, -1, -1, -1, -1]


def test_windows_read_what_one_item_could_not(folder_of):
    backbone = build(folder_of("bert"), longest=8, over="windows", stride=2)
    features = read(backbone, "a man rides a horse " * 3, "x")
    assert features.tokens.shape == (2, 4, 8, 16)
    assert features.mask.sum(-1).tolist() == [[8, 8, 8, 5], [3, 0, 0, 0]]
    alone = read(backbone, "x")
    torch.testing.assert_close(features.tokens[1, 0, :3], alone.tokens[0, 0], atol=2e-6, rtol=1e-5)


def test_more_tokens_than_there_are_positions_are_refused(folder_of):
    with pytest.raises(InputError, match="reads at most 40 tokens, longest asks for 64; set longest=40"):
        build(folder_of("bert"), longest=64)


@pytest.mark.slow
def test_minilm_is_the_sentence_encoder_that_its_makers_mean():
    from sentence_transformers import SentenceTransformer

    from mm_memgpt.backbones.build import minilm

    texts = ["A man is eating food.", "Someone eats a meal.", "The sky is blue today."]
    expected = torch.from_numpy(SentenceTransformer(minilm(), device="cpu").encode(texts))
    torch.testing.assert_close(read(build("minilm"), *texts).key[:, 0], expected, atol=1e-5, rtol=1e-4)
