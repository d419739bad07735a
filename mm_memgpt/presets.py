"""Shapes with a name: each preset is a function that returns a config, and nothing else knows the names."""

from mm_memgpt.config import DecoderConfig, FusionConfig, ImageConfig, MemoryConfig, MMMemGPTConfig


def tiny(vocab_size: int = 300) -> MMMemGPTConfig:
    """For tests: a few hundred thousand parameters, random weights, every part present."""
    return MMMemGPTConfig(
        width=32,
        key_width=12,
        image=ImageConfig(trunk="test_resnet", size=64, grid=2, heads=4),
        memory=MemoryConfig(slots=6, ring=2),
        fusion=FusionConfig(heads=4),
        decoder=DecoderConfig(
            heads=4, gate=1.0, model=_llama(vocab_size=vocab_size, hidden_size=32, layers=2, heads=4, positions=64)
        ),
    )


def nano(vocab_size: int = 8192) -> MMMemGPTConfig:
    """The model in the package: 9.5 million parameters, a photo as 5 x 5 tokens."""
    return MMMemGPTConfig(
        width=256,
        key_width=128,
        image=ImageConfig(trunk="mobilenetv4_conv_small", size=160, grid=5),
        memory=MemoryConfig(slots=64, ring=8),
        decoder=DecoderConfig(
            gate=1.0,
            dropout=0.1,
            model=_llama(vocab_size=vocab_size, hidden_size=256, layers=4, heads=8, positions=512),
        ),
    )


PRESETS = {"tiny": tiny, "nano": nano}


def _llama(*, vocab_size: int, hidden_size: int, layers: int, heads: int, positions: int) -> dict:
    return {
        "model_type": "llama",
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "intermediate_size": 8 * hidden_size // 3 // 32 * 32 or 32,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": positions,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
