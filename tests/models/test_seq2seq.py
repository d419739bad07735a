"""Around an encoder-decoder: the source text is read as ever, the memory beside it."""

import pytest
import torch
from torch import nn

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.seq2seq import MMMemGPTForSeq2SeqLM

START = {"t5": 2, "bart": 2, "marian": 2, "mbart": 0}


def test_both_source_and_memory_decide_what_is_written(encoder_decoder, build, text, memory):
    model = build(encoder_decoder)
    plain = model(input_ids=text, decoder_input_ids=text, memory=memory).logits
    for changed in ({"input_ids": text.flip(1)}, {"memory": memory.flip(0)}):
        other = model(**{"input_ids": text, "decoder_input_ids": text, "memory": memory} | changed).logits
        assert not torch.allclose(plain, other, atol=1e-5)


def test_the_text_encoder_reads_no_memory(encoder_decoder, build, text, memory):
    model = build(encoder_decoder)
    ours = model(input_ids=text, decoder_input_ids=text, memory=memory).encoder_last_hidden_state
    assert torch.equal(ours, model.get_encoder()(input_ids=text).last_hidden_state)


def test_source_padding_changes_nothing(encoder_decoder, build, text, memory):
    model = build(encoder_decoder)
    mask = nn.functional.pad(torch.ones_like(text), (0, 3))
    plain = model(input_ids=text, labels=text, memory=memory)
    padded = model(input_ids=nn.functional.pad(text, (0, 3), value=2), attention_mask=mask, labels=text, memory=memory)
    torch.testing.assert_close(padded.logits, plain.logits)


def test_the_loss_is_the_cross_entropy_of_the_labels(encoder_decoder, build, text, memory):
    outputs = build(encoder_decoder)(memory=memory, labels=text.masked_fill(text == 52, -100))
    logprobs = outputs.logits.log_softmax(-1).gather(-1, text.unsqueeze(-1)).flatten()
    torch.testing.assert_close(outputs.loss, -logprobs[:-1].mean())


def test_photos_suffice_and_stand_for_the_memory_they_make(encoder_decoder, build, photos):
    model = build(encoder_decoder)
    tokens, mask = model.read(model.perceive(photos))
    end = torch.full((2, 1), 1)
    written = model.generate(pixel_values=photos, max_new_tokens=5, num_beams=2)
    assert written[:, 0].tolist() == [START[encoder_decoder]] * 2
    assert torch.equal(written, model.generate(end, memory=tokens, memory_mask=mask, max_new_tokens=5, num_beams=2))


def test_one_memory_serves_several_rows_of_text(build, text, memory):
    model = build("t5")
    shared = model(input_ids=text, labels=text, memory=memory[:1]).logits
    assert torch.equal(shared, model(input_ids=text, labels=text, memory=memory[:1].repeat(2, 1, 1)).logits)


@pytest.mark.parametrize("family", ["t5", "llama"])
def test_teacher_forced_logits_are_those_of_generation(family, build, text, memory):
    model = build(family)
    written = model.generate(text, memory=memory, max_new_tokens=4, output_logits=True, return_dict_in_generate=True)
    source = {"source": text} if family == "t5" else {}
    logits = model.teacher_forced(written.sequences, memory, **source)[:, -4:]
    torch.testing.assert_close(logits, torch.stack(written.logits, dim=1))


def test_the_encoder_s_output_can_be_given_instead_of_the_source(build, text, memory):
    model = build("t5")
    wanted = model.generate(text, memory=memory, max_new_tokens=5, num_beams=2)
    outputs = model.get_encoder()(input_ids=text)
    assert torch.equal(model.generate(encoder_outputs=outputs, memory=memory, max_new_tokens=5, num_beams=2), wanted)


def test_nothing_written_raises(build, text, memory):
    with pytest.raises(ValueError, match="give labels or decoder_input_ids, what is written; input_ids are the source"):
        build("bart")(input_ids=text, memory=memory)


def test_each_class_names_the_other(build):
    with pytest.raises(ValueError, match="decoder 't5' is an encoder-decoder; its class is MMMemGPTForSeq2SeqLM"):
        MMMemGPTForConditionalGeneration(build("t5").config)
    with pytest.raises(ValueError, match="decoder 'llama' is causal; its class is MMMemGPTForConditionalGeneration"):
        MMMemGPTForSeq2SeqLM(build("llama").config)
