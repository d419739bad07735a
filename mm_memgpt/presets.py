"""Shapes with a name: each preset is a function that returns a config, and nothing else knows the names."""

from mm_memgpt.config import (
    AskingConfig,
    AudioConfig,
    DecoderConfig,
    FusionConfig,
    ImageConfig,
    MemoryConfig,
    MMMemGPTConfig,
    MotionConfig,
    TextConfig,
)


def tiny(vocab_size: int = 300) -> MMMemGPTConfig:
    """For tests: a few hundred thousand parameters, random weights, every part present."""
    return MMMemGPTConfig(
        width=32,
        key_width=12,
        image=ImageConfig(trunk="test_resnet", size=64, grid=2, heads=4),
        audio=AudioConfig(trunk="test_efficientnet", times=3, heads=4),
        motion=MotionConfig(frames=4, cell=4, inner=8, layers=1),
        text=TextConfig(layers=1, heads=4),
        memory=MemoryConfig(slots=6, ring=2),
        asking=AskingConfig(least=0.0),  # random weights are never sure
        fusion=FusionConfig(heads=4, order=True),
        decoder=DecoderConfig(
            heads=4, gate=1.0, model=_llama(vocab_size=vocab_size, hidden_size=32, layers=2, heads=4, positions=64)
        ),
    )


def nano(vocab_size: int = 8192) -> MMMemGPTConfig:
    """The model in the package: 10.4 million parameters, a photo as 5 x 5 tokens."""
    return MMMemGPTConfig(
        width=256,
        key_width=128,
        image=ImageConfig(trunk="mobilenetv4_conv_small", size=160, connector="linear", mirrored=True),  # map 5 x 5
        text=TextConfig(layers=2, heads=8, dropout=0.1),
        memory=MemoryConfig(slots=64, ring=8),
        decoder=DecoderConfig(
            gate=1.0,
            reads="after",
            output_std=0.007,  # GPT-2's own rule: 0.02 / sqrt(2 * layers)
            dropout=0.1,
            model=_llama(vocab_size=vocab_size, hidden_size=256, layers=4, heads=8, positions=512),
        ),
    )


def small(vocab_size: int = 50257) -> MMMemGPTConfig:
    """GPT-2 with a CLIP ViT-B/32: a photo as 7 x 7 tokens, found by CLIP's own 512 numbers."""
    return MMMemGPTConfig(
        width=768,
        key_width=512,
        image=ImageConfig(
            trunk="open_clip/ViT-B-32",
            trunk_args={"pretrained": "laion2b_s34b_b79k"},  # of its many weights; only a name until they are asked for
            grid=7,
            heads=12,
            key="trunk",
        ),
        memory=MemoryConfig(slots=64, ring=8),
        fusion=FusionConfig(heads=12),
        decoder=DecoderConfig(
            heads=12,
            layers=(1, 3, 5, 7, 9, 11),
            model={
                "model_type": "gpt2",
                "vocab_size": vocab_size,
                "n_embd": 768,
                "n_layer": 12,
                "n_head": 12,
                "n_positions": 1024,
                "bos_token_id": vocab_size - 1,
                "eos_token_id": vocab_size - 1,
                "pad_token_id": vocab_size - 1,
            },
        ),
    )


def base(vocab_size: int = 49152) -> MMMemGPTConfig:
    """SmolLM2-360M with a SigLIP ViT-B/16: a photo as 7 x 7 tokens, found by SigLIP's own 768 numbers."""
    return MMMemGPTConfig(
        width=960,
        key_width=768,
        image=ImageConfig(trunk="open_clip/ViT-B-16-SigLIP", grid=7, heads=15, key="trunk"),
        memory=MemoryConfig(slots=64, ring=8),
        fusion=FusionConfig(heads=15),
        decoder=DecoderConfig(
            heads=15,
            layers=(3, 7, 11, 15, 19, 23, 27, 31),
            model={
                "model_type": "llama",
                "vocab_size": vocab_size,
                "hidden_size": 960,
                "intermediate_size": 2560,
                "num_hidden_layers": 32,
                "num_attention_heads": 15,
                "num_key_value_heads": 5,
                "max_position_embeddings": 8192,
                "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
                "rms_norm_eps": 1e-5,
                "tie_word_embeddings": True,
                "bos_token_id": 0,
                "eos_token_id": 0,
                "pad_token_id": 0,
            },
        ),
    )


PRESETS = {"tiny": tiny, "nano": nano, "small": small, "base": base}


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
