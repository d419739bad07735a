"""Backbones in miniature, random: BERT with a word-piece and with a byte-level tokenizer; and what trains a task."""

import string
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mm_memgpt.backbones.build import build
from mm_memgpt.tasks.adapters import AdapterConfig
from mm_memgpt.tasks.model import create
from mm_memgpt.training.tokenizer import train_on

SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
SENTENCES = ("Ada Lovelace met Charles Babbage in London .", "Who sings ? The old choir of Leeds sings at noon .")


def word_pieces() -> PreTrainedTokenizerFast:
    """Pieces are single letters, so that a word has many tokens, and a few whole words."""
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation, *"北京在我住是伦敦人", *"مرحباالقهرةفيأن"]
    names = [
        *SPECIAL.values(),
        "the",
        "in",
        "who",
        *dict.fromkeys(letters),
        *(f"##{each}" for each in dict.fromkeys(letters)),
    ]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return _framed(tokenizer, vocabulary["[CLS]"], vocabulary["[SEP]"])


def byte_pairs() -> PreTrainedTokenizerFast:
    """Pieces are bytes and pairs of them, and a word's space is its own."""
    tokenizer = train_on(SENTENCES, vocab=300).backend_tokenizer
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    return _framed(tokenizer, tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]"))


def _framed(tokenizer: Tokenizer, begin: int, end: int) -> PreTrainedTokenizerFast:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", begin), ("[SEP]", end)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **SPECIAL)


@pytest.fixture(scope="session")
def backbone_folders(tmp_path_factory, tiny_model_folder) -> dict[str, Path]:
    """Folders of saved backbones: pieces, bytes, and own, a tiny model of this package."""
    folders = {"own": tiny_model_folder}
    for name, tokenizer in (("pieces", word_pieces()), ("bytes", byte_pairs())):
        folders[name] = tmp_path_factory.mktemp("backbone") / name
        torch.manual_seed(2)
        config = BertConfig(
            vocab_size=len(tokenizer), max_position_embeddings=128, pad_token_id=tokenizer.pad_token_id, **SIZES
        )
        BertModel(config).save_pretrained(folders[name])
        tokenizer.save_pretrained(folders[name])
    return folders


@pytest.fixture
def model_of(backbone_folders):
    """`model_of(task, "pieces", longest=16)`: a fresh model of a task, over windows unless told otherwise."""

    def make(task, name: str = "pieces", adapter: AdapterConfig | None = None, **reading):
        reading = {"over": "windows", "longest": 64} | reading
        return create(build(backbone_folders.get(name, name), **reading), task, adapter).eval()

    return make


@pytest.fixture
def overfitted():
    """`overfitted(model, examples)`: the loss after learning them by heart."""

    def learn(model, examples, steps: int = 120, rate: float = 3e-3) -> float:
        batch = model.task.collate(model.backbone.processor)(examples)
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
        for _ in range(steps):
            loss = model.task.objective(model, batch)["loss"]
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
        return model.task.objective(model, batch)["loss"].item()

    return learn
