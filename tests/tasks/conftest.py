"""Tiny backbones with random weights, saved to disk as the library saves them."""

from pathlib import Path

import pytest
import torch

SENTENCES = (
    "a brown dog runs through the grass",
    "two children play in the water",
    "the man climbs a steep rock",
    "who painted the old red house",
    "rain falls on quiet streets at night",
    "music and trade made that city rich",
)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """The folder of a BERT of width 16 that knows the words of a few sentences."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("backbone") / "tiny_bert"
    folder.mkdir()
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789", *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789")]
    words = sorted({word for sentence in SENTENCES for word in sentence.split()} - {*letters})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return folder
