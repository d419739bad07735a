"""A small BERT of whole words, and how it learns a task by heart."""

import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers, processors
from tokenizers.models import WordLevel
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mm_memgpt.backbones.build import build
from mm_memgpt.tasks.model import create

SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


@pytest.fixture(scope="session")
def plain():
    """Words that decide nothing."""
    return ("film", "actor", "story", "scene", "music", "long", "old", "blue")


@pytest.fixture(scope="session")
def bert(tmp_path_factory, plain):
    """The folder of a BERT that has learned nothing, of whole words: the plain ones and good."""
    names = [*SPECIAL.values(), "good", *plain, "."]
    tokenizer = Tokenizer(WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    shape = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    BertModel(BertConfig(vocab_size=len(names), max_position_embeddings=40, **shape)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=40, **SPECIAL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def row(plain):
    """`row(draw, good=True, words=7)`: plain words at random, and good among them or not."""

    def drawn(draw, good: bool, words: int = 7) -> str:
        chosen = draw.choices(plain, k=words)
        if good:
            chosen[draw.randrange(words)] = "good"
        return " ".join(chosen)

    return drawn


@pytest.fixture(scope="session")
def learned(bert):
    """`learned(task, examples)`: a model of the task that knows these by heart."""

    def learn(task, examples):
        model = create(build(bert), task)
        torch.manual_seed(0)
        batch = task.collate(model.backbone.processor)(examples)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(60):
            optimiser.zero_grad()
            task.objective(model, batch)["loss"].backward()
            optimiser.step()
        return model.eval()

    return learn
