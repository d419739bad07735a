"""The seam, in every family it is promised for: one parametrised model a family, tiny and random."""

import pytest
import torch
from transformers import AutoModelForCausalLM

from mm_memgpt.config import DecoderConfig, FusionConfig, ImageConfig, MemoryConfig, MMMemGPTConfig
from mm_memgpt.layers.gate import Gate
from mm_memgpt.models.decoder import build_decoder, project_memory
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration

TOKENS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = {
    "llama": {"model_type": "llama", "vocab_size": 61, "num_key_value_heads": 2, **SIZES, **TOKENS},
    "qwen3": {"model_type": "qwen3", "vocab_size": 61, "num_key_value_heads": 2, "head_dim": 8, **SIZES, **TOKENS},
    "gpt2": {"model_type": "gpt2", "vocab_size": 61, "n_embd": 32, "n_layer": 2, "n_head": 4, **TOKENS},
    "gpt_neox": {"model_type": "gpt_neox", "vocab_size": 61, **SIZES, **TOKENS},
}
SILENT = {
    "bloom": {"model_type": "bloom", "vocab_size": 61, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "gptj": {"model_type": "gptj", "vocab_size": 61, "n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4},
    "falcon": {"model_type": "falcon", "vocab_size": 61, **SIZES},
}
MEMORY_WIDTH = 24


def build(family: str, gate: float) -> MMMemGPTForConditionalGeneration:
    torch.manual_seed(3)
    return MMMemGPTForConditionalGeneration(
        MMMemGPTConfig(
            width=MEMORY_WIDTH,
            key_width=6,
            image=ImageConfig(trunk="test_resnet", size=64, grid=2, heads=4),
            memory=MemoryConfig(slots=6, ring=2),
            fusion=FusionConfig(heads=4),
            decoder=DecoderConfig(model=FAMILIES[family], heads=4, gate=gate),
        )
    ).eval()


def memory(rows: int = 2, tokens: int = 5) -> torch.Tensor:
    return torch.randn(rows, tokens, MEMORY_WIDTH, generator=torch.Generator().manual_seed(5))


TEXT = torch.tensor([[0, 9, 17, 4], [0, 33, 8, 52]])


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def test_gate_zero_equals_the_bare_model_to_the_bit(family):
    model = build(family, gate=0.0)
    bare = AutoModelForCausalLM.from_config(model.config.decoder.language_model()).eval()
    weights = {k.replace(".layer.", "."): v for k, v in model.decoder.state_dict().items() if ".cross." not in k}
    bare.load_state_dict(weights)
    assert torch.equal(model(input_ids=TEXT, memory=memory()).logits, bare(input_ids=TEXT).logits)


def test_an_open_gate_reads_the_memory_and_its_gradient_reaches_it(family):
    model = build(family, gate=0.5)
    given = memory().requires_grad_()
    logits = model(input_ids=TEXT, memory=given).logits
    assert not torch.allclose(logits, model(input_ids=TEXT).logits)
    logits.square().sum().backward()
    assert (given.grad.abs().sum((1, 2)) > 0).all()


def test_at_gate_zero_only_the_gate_gets_a_gradient(family):
    model = build(family, gate=0.0)
    model(input_ids=TEXT, memory=memory()).logits.square().sum().backward()
    gates = [module for module in model.decoder.modules() if isinstance(module, Gate)]
    assert all(gate.alpha.grad.abs() > 0 for gate in gates)
    cross = {n: p.grad for n, p in model.decoder.named_parameters() if ".cross." in n and "gate" not in n}
    assert cross
    assert all(gradient is None or not gradient.any() for gradient in cross.values())


@pytest.mark.parametrize(
    "how", [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 0}], ids=["greedy", "beams", "sampling"]
)
def test_cached_generation_equals_uncached(family, how):
    model = build(family, gate=0.5)
    written = []
    for use_cache in (True, False):
        torch.manual_seed(11)
        written.append(model.generate(TEXT[:, :2], memory=memory(), max_new_tokens=7, use_cache=use_cache, **how))
    assert torch.equal(*written)


def test_generation_depends_on_the_memory(family):
    model = build(family, gate=2.0)
    one, other = (model.generate(TEXT[:, :1], memory=m, max_new_tokens=7) for m in (memory(), -3 * memory()))
    assert not torch.equal(one, other)


def test_memory_padding_changes_nothing(family):
    model = build(family, gate=0.5)
    mask = torch.ones(2, 5, dtype=torch.bool)
    padded = torch.cat([memory(), torch.full((2, 3, MEMORY_WIDTH), 1e4)], dim=1)
    padded_mask = torch.cat([mask, torch.zeros(2, 3, dtype=torch.bool)], dim=1)
    plain = model(input_ids=TEXT, memory=memory(), memory_mask=mask).logits
    torch.testing.assert_close(model(input_ids=TEXT, memory=padded, memory_mask=padded_mask).logits, plain)


def test_text_padding_changes_nothing(family):
    model = build(family, gate=0.5)
    padded = torch.cat([TEXT, torch.full((2, 3), 2)], dim=1)
    mask = torch.cat([torch.ones_like(TEXT), torch.zeros(2, 3, dtype=torch.long)], dim=1)
    plain = model(input_ids=TEXT, memory=memory()).logits
    torch.testing.assert_close(model(input_ids=padded, attention_mask=mask, memory=memory()).logits[:, :4], plain)


def test_save_load_generate_the_same(family, tmp_path):
    model = build(family, gate=0.5)
    model.save_pretrained(tmp_path)
    again = MMMemGPTForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert {n: v.tolist() for n, v in again.state_dict().items()} == {
        n: v.tolist() for n, v in model.state_dict().items()
    }
    wanted = model.generate(TEXT[:, :2], memory=memory(), max_new_tokens=7, num_beams=2)
    assert torch.equal(again.generate(TEXT[:, :2], memory=memory(), max_new_tokens=7, num_beams=2), wanted)
    assert not list(tmp_path.glob("*.bin"))


def test_a_memory_is_projected_once_into_one_tensor(family):
    model = build(family, gate=0.5)
    projected = model.project_memory(memory())
    assert projected.shape == (2, 2, 2, 4, 6, 8)  # rows, layers, keys and values, heads, null and tokens, head width
    assert torch.equal(model(input_ids=TEXT, memory=projected).logits, model(input_ids=TEXT, memory=memory()).logits)


def test_chosen_layers_alone_read():
    config = DecoderConfig(model=FAMILIES["llama"], heads=4, layers=(1,))
    assert project_memory(build_decoder(config, MEMORY_WIDTH), memory()).shape[1] == 1


@pytest.mark.parametrize("kind", SILENT)
def test_a_family_that_drops_the_memory_raises(kind):
    with pytest.raises(ValueError, match=r"ForCausalLM (does not pass the memory|cannot be probed).*try a decoder"):
        build_decoder(DecoderConfig(model=SILENT[kind], heads=4), MEMORY_WIDTH)


def test_a_layer_that_does_not_exist_raises():
    with pytest.raises(ValueError, match=r"decoder.layers \[2\] must lie in 0..1; try layers=None for all"):
        build_decoder(DecoderConfig(model=FAMILIES["gpt2"], heads=4, layers=(2,)), MEMORY_WIDTH)
