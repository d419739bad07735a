"""A saved language model as decoder: its config stands alone, its weights arrive whole, or one line says why not."""

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, LlamaConfig, LlamaForCausalLM

from mm_memgpt.config import DecoderConfig, MMMemGPTConfig
from mm_memgpt.models.decoder import build_decoder, decoder_config, load_decoder_weights
from mm_memgpt.models.seam import project_memory
from mm_memgpt.types import InputError


def save(decoder: DecoderConfig, folder):
    """A stock language model with random weights, saved as its own library saves it."""
    config = decoder.language_model()
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    bare = auto.from_config(config).eval()
    bare.save_pretrained(folder)
    return bare


def test_a_saved_language_model_is_wrapped_as_it_is(family, decoder, text, memory, tmp_path):
    bare = save(decoder(family), tmp_path)
    config = decoder_config(tmp_path, gate=0.0)
    assert config.heads == 4
    wrapped = build_decoder(config, memory_width=24).eval()
    load_decoder_weights(wrapped, tmp_path)
    written = {"decoder_input_ids": text.flip(1)} if bare.config.is_encoder_decoder else {}
    ours = wrapped(input_ids=text, memory=project_memory(wrapped, memory), **written).logits
    assert torch.equal(ours, bare(input_ids=text, **written).logits)


def test_what_reads_the_memory_stays_as_it_was(decoder, tmp_path):
    save(decoder("gpt2"), tmp_path)
    wrapped = build_decoder(decoder_config(tmp_path, gate=0.7, layers=(1,)), memory_width=24)
    before = {name: tensor.clone() for name, tensor in wrapped.state_dict().items()}
    load_decoder_weights(wrapped, tmp_path)
    kept = {name for name, tensor in wrapped.state_dict().items() if torch.equal(tensor, before[name])}
    assert {name for name in before if ".cross." in name} <= kept
    assert "transformer.h.0.attn.c_attn.weight" not in kept
    assert "transformer.h.1.layer.attn.c_attn.weight" not in kept


def test_a_config_stands_alone(family, decoder, tmp_path):
    """Kept in a model's config.json, it names no place and comes back as it was."""
    save(decoder(family), tmp_path / "stock")
    heads = {"heads": 4}
    config = MMMemGPTConfig(width=24, image=heads, fusion=heads, decoder=decoder_config(tmp_path / "stock"))
    config.save_pretrained(tmp_path / "ours")
    assert str(tmp_path) not in (tmp_path / "ours" / "config.json").read_text()
    again = MMMemGPTConfig.from_pretrained(tmp_path / "ours").decoder
    assert again == config.decoder
    assert again.language_model().to_dict() == decoder(family).language_model().to_dict()


def test_half_precision_weights_make_a_model_of_the_precision_asked_for(decoder, tmp_path):
    bare = save(decoder("llama"), tmp_path)
    bare.half().save_pretrained(tmp_path)
    wrapped = build_decoder(decoder_config(tmp_path), memory_width=24)
    load_decoder_weights(wrapped, tmp_path)
    assert {tensor.dtype for tensor in wrapped.state_dict().values()} == {torch.float32}
    assert torch.equal(wrapped.lm_head.weight, bare.lm_head.weight.float())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("./nowhere", "no such folder"),
        ("/no/such/folder", "no such folder"),
        ("owner/model", "no language model to be read there"),
        ("gpt2", "no language model to be read there"),
    ],
)
def test_where_neither_folder_nor_hub_has_it_one_line_names_both_ways_out(name, reason, decoder):
    for ask in (decoder_config, lambda name: load_decoder_weights(build_decoder(decoder("llama"), 24), name)):
        with pytest.raises(InputError) as caught:
            ask(name)
        line = str(caught.value)
        assert line.startswith(f"{name}: {reason}")
        assert line.endswith(
            "give the folder of a saved model (with config.json and model.safetensors), or a hub name (owner/model) "
            "where the hub can be reached"
        )
        assert "\n" not in line


def test_a_folder_that_holds_no_language_model_is_refused(tiny_model_folder, tmp_path):
    with pytest.raises(InputError, match=r"a 'mm_memgpt' is no text-only language model .* such as llama, qwen3"):
        decoder_config(tiny_model_folder)
    with pytest.raises(InputError, match="no language model to be read there"):
        decoder_config(tmp_path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"num_hidden_layers": 1}, r"unknown model.layers.1.input_layernorm.weight and 8 more"),
        ({"num_hidden_layers": 3}, r"missing model.layers.2.input_layernorm.weight and 8 more"),
        ({"vocab_size": 70}, r"wrongly sized lm_head.weight \(61, 32\) where \(70, 32\) is due and 1 more"),
    ],
)
def test_weights_of_another_model_are_refused_and_nothing_is_written(changes, fault, decoder, tmp_path):
    save(decoder("llama"), tmp_path)
    config = decoder_config(tmp_path)
    config.model |= changes
    wrapped = build_decoder(config, memory_width=24)
    before = {name: tensor.clone() for name, tensor in wrapped.state_dict().items()}
    with pytest.raises(InputError, match=f"{fault}; these are not the weights of this 'llama'"):
        load_decoder_weights(wrapped, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in wrapped.state_dict().items())


def test_pickles_are_not_read(tmp_path):
    config = LlamaConfig(
        vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4
    )
    config.save_pretrained(tmp_path)
    torch.save(LlamaForCausalLM(config).state_dict(), tmp_path / "pytorch_model.bin")
    wrapped = build_decoder(decoder_config(tmp_path), memory_width=24)
    with pytest.raises(InputError, match="no language model to be read there"):
        load_decoder_weights(wrapped, tmp_path)
