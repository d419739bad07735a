"""Ways to run the model that change what it costs and not what it says: checkpointing, compiling, bfloat16, a GPU."""

import pytest
import torch

from mm_memgpt.models.auto import model_class
from mm_memgpt.models.seam import memory_layers


@pytest.fixture(params=["llama", "gpt2", "t5"])
def family(request):
    return request.param


def step(model, text, memory):
    """The loss, the gradient of the memory and those of the parameters."""
    torch.manual_seed(8)  # of dropout
    model.zero_grad()
    memory = memory.clone().requires_grad_()
    loss = model(input_ids=text, memory=memory, labels=text).loss
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), "memory": memory.grad} | gradients


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_runs_layers_again_and_changes_no_gradient(family, reentrant, build, text, memory):
    model = build(family).train()
    runs = []
    inside = next(module for module in memory_layers(model)[0].layer.modules() if not list(module.children()))
    inside.register_forward_hook(lambda *_: runs.append(1))
    plain = step(model, text, memory)
    assert len(runs) == 1
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    torch.testing.assert_close(step(model, text, memory), plain)
    assert len(runs) == 3
    assert plain["memory"].any()
    model.gradient_checkpointing_disable()
    step(model, text, memory)
    assert len(runs) == 4


def compile_and_compare(model, text, given, **settings):
    """Asserts that the compiled model gives the loss, logits and gradients that the model itself gives."""
    torch.compiler.reset()
    results = []
    for forward in (model, torch.compile(model, **settings)):
        model.zero_grad()
        outputs = forward(input_ids=text, labels=text, **given)
        outputs.loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        results.append([outputs.loss.detach(), outputs.logits.detach(), *gradients])
    torch.testing.assert_close(*results)


def test_the_forward_from_a_memory_compiles_to_one_graph(build, text, memory):
    compile_and_compare(build("llama"), text, {"memory": memory}, backend="aot_eager", fullgraph=True)


@pytest.mark.slow
@pytest.mark.parametrize("other", ["gpt2", "t5"])
def test_other_families_compile_to_one_graph(other, build, text, memory):
    compile_and_compare(build(other), text, {"memory": memory}, backend="aot_eager", fullgraph=True)


@pytest.mark.slow
def test_the_forward_from_photos_compiles_with_breaks_where_the_bank_looks_at_values(build, text, photos):
    compile_and_compare(build("llama"), text, {"pixel_values": photos}, backend="aot_eager")


@pytest.mark.slow
def test_compiled_machine_code_says_the_same(build, text, memory):
    """Needs a C++ compiler."""
    compile_and_compare(build("llama"), text, {"memory": memory}, fullgraph=True)


def test_bfloat16_is_near_float32_and_the_bank_keeps_float32_sums(family, build, text, photos, tmp_path):
    model = build(family)
    model.save_pretrained(tmp_path)
    wanted = model(input_ids=text, pixel_values=photos, labels=text).logits
    loaded = model_class(model.config).from_pretrained(tmp_path, dtype=torch.bfloat16).eval()
    for half in (loaded, model.to(torch.bfloat16)):
        assert {parameter.dtype for parameter in half.parameters()} == {torch.bfloat16}
        logits = half(input_ids=text, pixel_values=photos.bfloat16(), labels=text).logits
        assert logits.dtype == torch.bfloat16
        assert (logits - wanted).norm() < 0.03 * wanted.norm()
        assert half.perceive(photos.bfloat16()).sums.dtype == torch.float32
        scored = {"output_logits": True, "return_dict_in_generate": True}
        written = half.generate(pixel_values=photos.bfloat16(), max_new_tokens=5, num_beams=2, **scored)
        assert torch.stack(written.logits).isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_says_what_the_cpu_says(family, build, text, photos):
    model = build(family)
    wanted = model(input_ids=text, pixel_values=photos, labels=text)
    written = model.generate(text, pixel_values=photos, max_new_tokens=5, num_beams=2)
    model.cuda()
    got = model(input_ids=text.cuda(), pixel_values=photos.cuda(), labels=text.cuda())
    torch.testing.assert_close(got.logits.cpu(), wanted.logits, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(got.loss.cpu(), wanted.loss, rtol=1e-3, atol=1e-3)
    again = model.generate(text.cuda(), pixel_values=photos.cuda(), max_new_tokens=5, num_beams=2)
    assert torch.equal(again.cpu(), written)
