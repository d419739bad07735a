"""Language models in miniature, each saved to disk with a tokenizer of a few words, as users' own folders are."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

WORDS = """the a man dog rides horse runs who what is on in ? . ##s ##ing un ##known x y z""".split()  # noqa: SIM905
SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {
    "bert": SIZES | {"max_position_embeddings": 40},
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 40},
    "roberta": SIZES | {"max_position_embeddings": 42, "type_vocab_size": 1, "pad_token_id": 0},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40},
    "llama": SIZES | {"num_key_value_heads": 1, "max_position_embeddings": 40},
    "t5": {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0},
    "bart": {
        "d_model": 16,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "max_position_embeddings": 40,
    },
    "marian": {
        "d_model": 16,
        "encoder_ffn_dim": 24,
        "decoder_ffn_dim": 24,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "max_position_embeddings": 40,
        "decoder_start_token_id": 0,
    },
}


@pytest.fixture(params=FAMILIES)
def family(request) -> str:
    return request.param


def word_pieces() -> PreTrainedTokenizerFast:
    """A tokenizer of BERT's kind with the vocabulary of WORDS."""
    vocabulary = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}, model_max_length=40
    )


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """`folder_of("bert")`: the folder of a random model of that family."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            torch.manual_seed(1)
            tokenizer = word_pieces()
            config = AutoConfig.for_model(
                family,
                vocab_size=len(tokenizer),
                bos_token_id=2,
                eos_token_id=3,
                **{"pad_token_id": 0} | FAMILIES[family],
            )
            made[family] = tmp_path_factory.mktemp(family)
            AutoModel.from_config(config).save_pretrained(made[family])
            tokenizer.save_pretrained(made[family])
        return made[family]

    return folder
