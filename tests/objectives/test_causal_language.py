"""Causal language modelling: the loss of transformers' own decoders."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from mm_memgpt.objectives.causal_language import CausalLanguage

IDS = torch.tensor([[1, 7, 9, 11, 2], [1, 6, 2, 0, 0]])  # b t
REAL = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
FAMILIES = {
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=13, n_embd=8, n_layer=2, n_head=2, n_positions=16)),
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(vocab_size=13, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12)
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_the_loss_of_transformers_own_decoder(family):
    model = FAMILIES[family]().eval()
    due = model(input_ids=IDS, attention_mask=REAL, labels=IDS.masked_fill(REAL == 0, -100)).loss
    torch.testing.assert_close(CausalLanguage()(model, {"input_ids": IDS, "attention_mask": REAL})["loss"], due)


def test_padding_changes_nothing():
    model = FAMILIES["gpt2"]().eval()
    batch = {"input_ids": IDS, "attention_mask": REAL}
    longer = {name: torch.cat([value, torch.zeros(2, 3, dtype=torch.long)], 1) for name, value in batch.items()}
    torch.testing.assert_close(CausalLanguage()(model, longer), CausalLanguage()(model, batch))
