"""The seam, in every family it is promised for: one tiny random model a family, causal or an encoder-decoder."""

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.layers.gate import Gate
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.decoder import FAMILIES, build_decoder
from mm_memgpt.models.seam import memory_layers, project_memory, stock_state

NEW = {"max_new_tokens": 7}


def stock(model):
    """The bare language model with the same weights."""
    config = model.config.decoder.language_model()
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    bare = auto.from_config(config).eval()
    bare.load_state_dict(stock_state(model.decoder))
    return bare


def writing(model, text):
    """The arguments of a forward pass: what is read, and for an encoder-decoder what is written."""
    return {"input_ids": text} | ({"decoder_input_ids": text.flip(1)} if model.config.is_encoder_decoder else {})


def first(args, kwargs):
    """The hidden states a layer is given."""
    return kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]


def test_a_message_names_the_families_tested_here(family):
    assert family in FAMILIES
    assert len(FAMILIES) == 14


@pytest.mark.parametrize("reads", ["before", "after"])
def test_gate_zero_equals_the_bare_model_to_the_bit(family, reads, build, text, memory):
    model = build(family, gate=0.0, reads=reads)
    ours = model(**writing(model, text), memory=memory, output_hidden_states=True)
    bare = stock(model)(**writing(model, text), output_hidden_states=True)
    assert torch.equal(ours.logits, bare.logits)
    states = "decoder_hidden_states" if model.config.is_encoder_decoder else "hidden_states"
    assert all(torch.equal(*pair) for pair in zip(ours[states], bare[states], strict=True))


def test_gate_zero_writes_what_the_bare_model_writes(family, build, text, memory):
    model = build(family, gate=0.0)
    written = model.generate(text, memory=memory, num_beams=3, **NEW)
    assert torch.equal(written, stock(model).generate(text, num_beams=3, **NEW))


@pytest.mark.parametrize("reads", ["before", "after"])
def test_an_open_gate_reads_the_memory_and_its_gradient_reaches_it(family, reads, build, text, memory):
    model = build(family, reads=reads)
    memory.requires_grad_()
    logits = model(**writing(model, text), memory=memory).logits
    assert not torch.allclose(logits, model(**writing(model, text)).logits)
    logits.square().sum().backward()
    assert (memory.grad.abs().sum((1, 2)) > 0).all()


def test_at_gate_zero_only_the_gate_gets_a_gradient(family, build, text, memory):
    model = build(family, gate=0.0)
    model(**writing(model, text), memory=memory).logits.square().sum().backward()
    gates = [module for module in model.decoder.modules() if isinstance(module, Gate)]
    assert len(gates) == 2
    assert all(gate.alpha.grad.abs() > 0 for gate in gates)
    cross = {n: p.grad for n, p in model.decoder.named_parameters() if ".cross." in n and "gate" not in n}
    assert cross
    assert all(gradient is None or not gradient.any() for gradient in cross.values())


def test_reading_afterwards_sees_what_the_layer_made_of_the_words(family, build, text, memory):
    """In the first layer, its own work changes the question that is put to the memory."""
    model = build(family, reads="after")
    layer, asked = memory_layers(model)[0], []
    layer.register_forward_pre_hook(lambda layer, args, kwargs: asked.append(first(args, kwargs)), with_kwargs=True)
    layer.cross.register_forward_pre_hook(lambda cross, args: asked.append(args[0]))
    model(**writing(model, text), memory=memory)
    entered, questioned = asked
    assert entered.shape == questioned.shape
    assert not torch.allclose(entered, questioned)


def test_what_is_read_begins_as_quiet_as_it_is_told(build):
    for std, begun in ((None, 0.02), (0.007, 0.007)):  # 0.02 is Llama's own
        weights = [layer.cross.attention.output.weight for layer in memory_layers(build("llama", output_std=std))]
        assert [weight.std().item() for weight in weights] == pytest.approx([begun, begun], rel=0.15)


@pytest.mark.parametrize("reads", ["before", "after"])
@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 0}], ids=["greedy", "beams", "sampling"]
)
def test_cached_generation_equals_uncached(family, reads, how, build, text, memory):
    model = build(family, reads=reads)
    written = []
    for use_cache in (True, False):
        torch.manual_seed(11)
        written.append(model.generate(text[:, :2], memory=memory, use_cache=use_cache, **NEW, **how))
    assert torch.equal(*written)


def test_memory_padding_changes_nothing(family, build, text, memory):
    model = build(family)
    mask = torch.ones(2, 5, dtype=torch.bool)
    padded = nn.functional.pad(memory, (0, 0, 0, 3), value=1e4)
    plain = model(**writing(model, text), memory=memory, memory_mask=mask).logits
    masked = model(**writing(model, text), memory=padded, memory_mask=nn.functional.pad(mask, (0, 3))).logits
    torch.testing.assert_close(masked, plain)


def test_text_padding_changes_nothing(causal, build, text, memory):
    model = build(causal)
    padded, mask = nn.functional.pad(text, (0, 3), value=2), nn.functional.pad(torch.ones_like(text), (0, 3))
    plain = model(input_ids=text, memory=memory).logits
    torch.testing.assert_close(model(input_ids=padded, attention_mask=mask, memory=memory).logits[:, :4], plain)


def test_prompts_padded_on_the_left_go_on_as_they_do_alone(causal, build, text, memory):
    model = build(causal)
    scored = {"output_logits": True, "return_dict_in_generate": True, **NEW}
    alone = model.generate(text[:1], memory=memory[:1], **scored)
    padded = torch.stack([nn.functional.pad(text[0], (3, 0), value=2), torch.arange(3, 10)])
    mask = nn.functional.pad(torch.ones(2, 4), (3, 0), value=1).long()
    mask[0, :3] = 0
    together = model.generate(padded, attention_mask=mask, memory=memory, **scored)
    for here, there in zip(together.logits, alone.logits, strict=False):
        torch.testing.assert_close(here[:1], there)


def test_a_prompt_given_as_embeddings_goes_on_as_its_tokens_do(causal, build, text, memory):
    model = build(causal)
    embedded = model.generate(inputs_embeds=model.get_input_embeddings()(text), memory=memory, **NEW)
    assert torch.equal(embedded, model.generate(text, memory=memory, **NEW)[:, 4:])


def test_generation_computes_no_logits_of_the_prompt(causal, build, text, memory):
    model = build(causal)
    shapes = []
    head = model.get_output_embeddings()
    head.register_forward_hook(lambda module, given, logits: shapes.append(tuple(logits.shape)))
    model.generate(text, memory=memory, max_new_tokens=2, min_new_tokens=2)
    assert shapes == [(2, 1, 61)] * 2


def test_a_family_s_own_rules_of_generation_hold(decoder, text, memory):
    """Phi-3 computes its cache anew where a text outgrows the positions it was first trained on."""
    config = decoder("phi3", gate=0.0)
    factors = {"short_factor": [1.0] * 4, "long_factor": [3.0, 4.0, 5.0, 6.0], "factor": 8.0}
    config.model |= {
        "max_position_embeddings": 64,
        "original_max_position_embeddings": 8,
        "rope_parameters": {"rope_type": "longrope", "rope_theta": 1e4, **factors},
    }
    image = {"trunk": "test_resnet", "size": 64, "grid": 2, "heads": 4}
    whole = MMMemGPTConfig(width=24, image=image, fusion={"heads": 4}, decoder=config)
    model = model_class(whole)(whole).eval()
    scored = {"max_new_tokens": 9, "output_logits": True, "return_dict_in_generate": True}
    ours, bare = model.generate(text, memory=memory, **scored), stock(model).generate(text, **scored)
    assert all(torch.equal(*pair) for pair in zip(ours.logits, bare.logits, strict=True))


def test_save_load_write_the_same(family, build, text, memory, tmp_path):
    model = build(family)
    model.save_pretrained(tmp_path)
    again, found = model_class(model.config).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(found.values())
    for (name, here), (other, there) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(here, there)
    wanted = model.generate(text[:, :2], memory=memory, num_beams=2, **NEW)
    assert torch.equal(again.eval().generate(text[:, :2], memory=memory, num_beams=2, **NEW), wanted)
    assert not list(tmp_path.glob("*.bin"))


def test_a_memory_is_projected_once_into_one_tensor(family, build, text, memory):
    model = build(family)
    projected = model.project_memory(memory)
    assert projected.shape == (2, 2, 2, 4, 6, 8)  # rows, layers, keys and values, heads, null and tokens, head width
    assert torch.equal(
        model(**writing(model, text), memory=projected).logits, model(**writing(model, text), memory=memory).logits
    )


def test_chosen_layers_alone_read(family, build, text, memory):
    model = build(family, layers=(1,))
    assert project_memory(model.decoder, memory).shape[1] == 1
    assert not torch.allclose(model(**writing(model, text), memory=memory).logits, model(**writing(model, text)).logits)


def test_a_family_that_drops_the_memory_raises(silent_family, decoder):
    with pytest.raises(ValueError, match=r"ForCausalLM does not pass the memory to its layers \[0, 1\]; try a decoder"):
        build_decoder(decoder(silent_family), memory_width=24)


def test_trying_a_family_out_leaves_the_random_numbers_alone(decoder):
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="does not pass"):
        build_decoder(decoder("bloom"), memory_width=24)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layer_that_does_not_exist_raises(decoder):
    with pytest.raises(ValueError, match=r"decoder.layers \[2\] must lie in 0..1; try layers=None for all"):
        build_decoder(decoder("gpt2", layers=(2,)), memory_width=24)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("vit", "decoder model_type 'vit' is no text-only language model that transformers can build; try one of"),
        ("xlm", "XLMWithLMHeadModel has 4 lists of modules, so its layers cannot be told; try another decoder"),
    ],
)
def test_what_cannot_write_from_a_memory_raises(kind, message, decoder):
    config = decoder("llama")
    config.model = {"model_type": kind, "hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 61}
    with pytest.raises(ValueError, match=message):
        build_decoder(config, memory_width=24)


def test_a_language_model_without_a_first_token_says_so(build, memory):
    model = build("llama")
    model.generation_config.bos_token_id = None
    model.generation_config.eos_token_id = [4, 5]
    assert model.generate(memory=memory, **NEW)[:, 0].tolist() == [4, 4]
    model.generation_config.eos_token_id = None
    with pytest.raises(ValueError, match="no bos_token_id nor eos_token_id, so the text cannot begin; give input_ids"):
        model.generate(memory=memory)


def test_attention_is_computed_as_asked_for(build, text, memory, tmp_path):
    model = build("llama")
    model.save_pretrained(tmp_path)
    eager = type(model).from_pretrained(tmp_path, attn_implementation="eager").eval()
    outputs = eager(input_ids=text, memory=memory, output_attentions=True)
    assert [weights.shape for weights in outputs.attentions] == [(2, 4, 4, 4)] * 2
    torch.testing.assert_close(outputs.logits, model(input_ids=text, memory=memory).logits)
