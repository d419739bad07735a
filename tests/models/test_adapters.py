"""LoRA adapters (PEFT) on a wrapped language model: the stock layers' projections, and the gates beside them."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from mm_memgpt.models.auto import model_class

TARGETS = {
    "llama": r"decoder\..*\.(q_proj|v_proj)",
    "gpt2": r"decoder\..*\.c_attn",
    "t5": r"decoder\.decoder\..*\.(q|v)",
}
TASKS = {"llama": "CAUSAL_LM", "gpt2": None, "t5": "SEQ_2_SEQ_LM"}


@pytest.fixture(params=TARGETS)
def family(request):
    return request.param


def adapted(model, family):
    """The model with adapters that already change it, and its gates trainable."""
    return get_peft_model(
        model,
        LoraConfig(
            r=2,
            target_modules=TARGETS[family],
            modules_to_save=["cross.gate"],
            task_type=TASKS[family],
            init_lora_weights=False,
        ),
    ).eval()


def test_only_adapters_and_gates_train(family, build, text, photos):
    model = adapted(build(family), family)
    model(input_ids=text, pixel_values=photos, labels=text).loss.backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained == {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or ".cross.gate." in name for name in trained)
    assert sum(".cross.gate." in name for name in trained) == 2
    assert any("lora_" in name for name in trained)


def test_adapters_are_saved_loaded_and_merged(family, build, text, memory, tmp_path):
    model = adapted(build(family), family)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and ".cross.gate." in name:
                parameter.fill_(1.5)
    logits = model(input_ids=text, memory=memory, labels=text).logits
    written = model.generate(input_ids=text, memory=memory, max_new_tokens=5, num_beams=2)
    assert not torch.allclose(logits, build(family)(input_ids=text, memory=memory, labels=text).logits, atol=1e-3)

    model.save_pretrained(tmp_path / "adapter")
    again = PeftModel.from_pretrained(build(family), tmp_path / "adapter").eval()
    assert torch.equal(again(input_ids=text, memory=memory, labels=text).logits, logits)

    again.merge_and_unload().save_pretrained(tmp_path / "merged")
    merged = model_class(build(family).config).from_pretrained(tmp_path / "merged").eval()
    assert merged.state_dict().keys() == build(family).state_dict().keys()
    torch.testing.assert_close(merged(input_ids=text, memory=memory, labels=text).logits, logits)
    assert torch.equal(merged.generate(text, memory=memory, max_new_tokens=5, num_beams=2), written)


def test_adapters_train_under_gradient_checkpointing(build, text, memory):
    model = adapted(build("llama"), "llama").train()
    model.enable_input_require_grads()
    grads = []
    for enable in (lambda: None, model.gradient_checkpointing_enable):
        enable()
        model.zero_grad()
        model(input_ids=text, memory=memory, labels=text).loss.backward()
        grads.append([parameter.grad.clone() for parameter in model.parameters() if parameter.requires_grad])
    assert grads[0]
    torch.testing.assert_close(*grads)
