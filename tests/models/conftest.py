"""Language models in miniature, one a family, random, each with a memory to read and a text to write."""

from copy import deepcopy
from functools import cache

import pytest
import torch

from mm_memgpt.config import DecoderConfig, FusionConfig, ImageConfig, MemoryConfig, MMMemGPTConfig
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration

TOKENS = {"vocab_size": 61, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4}
OPT = {"hidden_size": 32, "word_embed_proj_dim": 24, "ffn_dim": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4}
BART = {"d_model": 32, "encoder_ffn_dim": 48, "decoder_ffn_dim": 40, "encoder_layers": 3, "decoder_layers": 2}
BART |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4, "max_position_embeddings": 64}

CAUSAL = {
    "llama": SIZES | {"num_key_value_heads": 2},
    "qwen3": SIZES | {"num_key_value_heads": 2, "head_dim": 8},
    "mistral": SIZES | {"num_key_value_heads": 2, "sliding_window": None},
    "gemma3_text": SIZES | {"num_key_value_heads": 2, "head_dim": 8, "sliding_window": 3},
    "phi3": SIZES | {"num_key_value_heads": 2},
    "smollm3": SIZES | {"num_key_value_heads": 2},
    "olmo2": SIZES | {"num_key_value_heads": 2},
    "gpt_neox": SIZES,
    "gpt2": GPT2,
    "opt": OPT,
}
ENCODER_DECODERS = {
    "t5": T5 | {"decoder_start_token_id": 2},
    "bart": BART,
    "marian": BART | {"decoder_start_token_id": 2},
    "mbart": BART,
}
SILENT = {
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "gptj": GPT2 | {"rotary_dim": 4},
    "falcon": SIZES,
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
}
MEMORY_WIDTH = 24


@pytest.fixture(params=CAUSAL)
def causal(request) -> str:
    return request.param


@pytest.fixture(params=ENCODER_DECODERS)
def encoder_decoder(request) -> str:
    return request.param


@pytest.fixture(params=CAUSAL | ENCODER_DECODERS)
def family(request) -> str:
    return request.param


@pytest.fixture(params=SILENT)
def silent_family(request) -> str:
    return request.param


def language_model(family: str, **settings) -> DecoderConfig:
    sizes = (CAUSAL | ENCODER_DECODERS | SILENT)[family]
    return DecoderConfig(model={"model_type": family, **TOKENS, **sizes}, **{"heads": 4, **settings})


@cache
def model_of(family: str, **settings) -> MMMemGPTForConditionalGeneration:
    torch.manual_seed(3)
    config = MMMemGPTConfig(
        width=MEMORY_WIDTH,
        key_width=6,
        image=ImageConfig(trunk="test_resnet", size=64, grid=2, heads=4),
        memory=MemoryConfig(slots=6, ring=2),
        fusion=FusionConfig(heads=4),
        decoder=language_model(family, **{"gate": 0.5, **settings}),
    )
    return model_class(config)(config).eval()


@pytest.fixture
def decoder():
    """`decoder(family, **settings)`: the config of a family's tiny language model."""
    return language_model


@pytest.fixture
def build():
    """`build(family, gate=0.5, **settings)`: a tiny model around the family's language model, in evaluation mode."""
    return lambda family, **settings: deepcopy(model_of(family, **settings))


@pytest.fixture
def memory() -> torch.Tensor:
    return torch.randn(2, 5, MEMORY_WIDTH, generator=torch.Generator().manual_seed(5))


@pytest.fixture
def text() -> torch.Tensor:
    return torch.tensor([[0, 9, 17, 4], [0, 33, 8, 52]])


@pytest.fixture
def photos() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(4))
