"""A model that writes: of transformers' two kinds and of ours, with one way to prompt, write, stream and score."""

import itertools
import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, BartConfig, GPT2Config

from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.translation import Translation
from mm_memgpt.tasks.writing_model import WritingModel, read_writer
from mm_memgpt.training.vocabulary import train_vocabulary
from mm_memgpt.types import InputError

TEXTS = ("A brown dog runs through the grass .", "Two children play in the water .", "A man climbs a rock .")
PROMPTS = [Prompt("A brown"), Prompt("Two children play in"), Prompt("A")]
SHORT = Decoding(longest=6)


@pytest.fixture(scope="module")
def tokenizer():
    return train_vocabulary(TEXTS, 320)


def stock(kind: str, tokenizer):
    torch.manual_seed(4)
    numbers = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    numbers |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    if kind == "causal":
        return AutoModelForCausalLM.from_config(GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=24, **numbers))
    shape = {f"{part}_{what}": 2 for part in ("encoder", "decoder") for what in ("layers", "attention_heads")}
    shape |= {"encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 40, "init_std": 0.3}
    begin = {"decoder_start_token_id": tokenizer.bos_token_id, "forced_eos_token_id": None}
    return AutoModelForSeq2SeqLM.from_config(BartConfig(d_model=16, **shape, **numbers, **begin))


@pytest.fixture(params=["causal", "encoder-decoder", "ours"])
def writer(request, tokenizer, tiny_model_folder) -> WritingModel:
    if request.param == "ours":
        return read_writer(tiny_model_folder, "cpu")
    return WritingModel(stock(request.param, tokenizer), tokenizer).eval()


@pytest.fixture
def ours(tiny_model_folder) -> WritingModel:
    return read_writer(tiny_model_folder, "cpu")


def test_prompts_of_unequal_length_write_what_each_writes_alone(writer):
    together = writer.write(PROMPTS, SHORT)
    assert together == [writer.write([prompt], SHORT)[0] for prompt in PROMPTS]


def test_what_is_streamed_is_what_is_written(writer):
    [written] = writer.write(PROMPTS[1:2], SHORT)
    assert "".join(writer.stream(PROMPTS[1], SHORT)).strip() == written.text


def test_a_stopped_stream_ends_with_what_it_has(writer):
    never_ending = Decoding(longest=8, shortest=8)
    asked = itertools.count(1)
    found = "".join(writer.stream(PROMPTS[1], never_ending, stopped=lambda: next(asked) >= 3))
    whole = "".join(writer.stream(PROMPTS[1], never_ending))
    assert whole.startswith(found)
    assert len(found) < len(whole)


def test_the_score_of_a_text_does_not_hang_on_what_it_is_scored_with(writer):
    together = writer.score(PROMPTS, TEXTS)
    for prompt, text, logprobs in zip(PROMPTS, TEXTS, together, strict=True):
        torch.testing.assert_close(writer.score([prompt], [text])[0], logprobs, atol=1e-5, rtol=1e-4)


def test_the_score_is_the_library_s_own_loss(tokenizer):
    model = WritingModel(stock("encoder-decoder", tokenizer), tokenizer).eval()
    source, text = TEXTS[0], TEXTS[1]
    labels = torch.tensor([[*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]])
    loss = model.model(input_ids=torch.tensor([tokenizer(source)["input_ids"]]), labels=labels).loss
    torch.testing.assert_close(-model.score([Prompt(source)], [text])[0].mean(), loss)


def test_what_the_text_begins_with_stands_right_before_it_and_is_not_returned(writer):
    ahead = writer.processor([Prompt("A brown", " dog")])["decoder_input_ids" if writer.encodes else "input_ids"][0]
    assert writer.tokenizer.decode(ahead).endswith(" dog")
    [written] = writer.write([Prompt("A brown", " dog climbs")], SHORT)
    assert not written.text.startswith("dog climbs")


def test_a_seed_draws_the_same_text_again_and_leaves_other_draws_alone(writer):
    how = Decoding(longest=8, sample=True, temperature=3.0, seed=7)
    torch.manual_seed(1)
    first, drawn = writer.write(PROMPTS, how), torch.rand(1)
    torch.manual_seed(1)
    assert torch.rand(1) == drawn
    assert writer.write(PROMPTS, how) == first
    assert writer.write(PROMPTS, Decoding(longest=8, sample=True, temperature=3.0, seed=8)) != first


def test_words_carry_the_log_probabilities_of_their_tokens(ours):
    [written] = ours.write(PROMPTS[:1], SHORT, words=True)
    logprobs = ours.score(PROMPTS[:1], [written.text])[0]
    assert " ".join(word.word for word in written.words) == written.text
    assert sum(word.logprob for word in written.words) == pytest.approx(logprobs[:-1].sum().item(), abs=1e-4)


def test_the_memory_is_read(ours):
    plain, other, none = (
        ours.score([Prompt("A", memory=memory)], [TEXTS[0]])[0] for memory in (TEXTS[:1], TEXTS[1:2], ())
    )
    assert not torch.allclose(plain, other)
    assert not torch.allclose(plain, none)


def test_a_memory_of_any_length_is_read_through_the_same_slots(ours):
    states = []
    for sentences in (TEXTS, TEXTS * 60):
        batch = ours.processor([Prompt(memory=sentences)])
        states.append(ours.remember(batch["memory_ids"], batch["memory_mask"], batch["memory_source"]))
    assert states[0].sums.shape == states[1].sums.shape
    assert states[1].items.sum() > 60 * len(TEXTS) - 1


def test_a_long_sentence_keeps_all_its_tokens_as_items_of_one_source(ours):
    item = ours.processor.item
    batch = ours.processor([Prompt(memory=(TEXTS[0] * 3, "A rock ."))])
    lengths, sources = batch["memory_mask"].sum(-1)[0], batch["memory_source"][0]
    whole = len(ours.tokenizer(TEXTS[0] * 3, add_special_tokens=False)["input_ids"])
    assert lengths[sources == 0].sum() == whole + 2  # and its ends
    assert lengths.max() <= item
    assert (sources == 0).sum() > 1


def test_a_model_without_memory_refuses_one(tokenizer):
    model = WritingModel(stock("causal", tokenizer), tokenizer)
    with pytest.raises(InputError, match="GPT2LMHeadModel has no memory for sentences; take nano"):
        model.write([Prompt("A", memory=TEXTS)], SHORT)


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers(tokenizer):
    model = WritingModel(stock("causal", tokenizer), tokenizer)
    with pytest.raises(InputError, match=r"prompt of \d+ tokens is too long for the 24 the model can hold"):
        model.stream(Prompt(" ".join(TEXTS * 3)), SHORT)


def test_what_is_learned_is_the_text_and_its_end_alone(tokenizer):
    processor = WritingModel(stock("causal", tokenizer), tokenizer).processor
    batch = processor([Prompt("A brown"), Prompt("A")], ["dog .", "rock ."])
    for labels, text in zip(batch["labels"], ("dog .", "rock ."), strict=True):
        learned = labels[labels >= 0].tolist()
        assert learned[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(learned[:-1]).strip() == text


def test_a_saved_model_writes_the_same(tokenizer, tmp_path):
    task = Translation({"text": "en", "label": "de"}, (), {"into": "de", "decoding": {"longest": 5}})
    model = WritingModel(stock("encoder-decoder", tokenizer), tokenizer, task, longest=30).eval()
    model.save(tmp_path / "saved")
    again = read_writer(tmp_path / "saved", "cpu")
    assert again.task.saved() == task.saved()
    assert again.processor.longest == 30
    assert again.write(PROMPTS, SHORT) == model.write(PROMPTS, SHORT)


def test_a_folder_of_transformers_is_read_as_it_is(tokenizer, tmp_path):
    model = stock("causal", tokenizer)
    model.save_pretrained(tmp_path / "gpt")
    tokenizer.save_pretrained(tmp_path / "gpt")
    again = read_writer(tmp_path / "gpt", "cpu")
    assert again.write(PROMPTS, SHORT) == WritingModel(model, tokenizer).eval().write(PROMPTS, SHORT)


def test_what_writes_nothing_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(InputError, match="no model that writes"):
        read_writer(tmp_path)


def test_a_reader_that_goes_away_ends_the_writing(ours):
    before = threading.active_count()
    pieces = ours.stream(PROMPTS[1], Decoding(longest=40, shortest=40))
    next(pieces)
    pieces.close()
    assert threading.active_count() == before


def test_a_text_is_cut_where_the_context_is_full(tokenizer):
    model = WritingModel(stock("causal", tokenizer), tokenizer).eval()
    prompt = Prompt("A brown dog")
    [written] = model.write([prompt], Decoding(longest=500, shortest=400))
    tokens = model.processor.length(prompt) + len(tokenizer(written.text, add_special_tokens=False)["input_ids"])
    assert not written.ended
    assert tokens <= 24


def test_a_piece_that_goes_on_has_no_end(writer):
    whole, piece = (writer.score([Prompt("A", ends=ends)], [TEXTS[0]])[0] for ends in (True, False))
    torch.testing.assert_close(whole[:-1], piece)


def test_a_text_that_is_cut_in_training_has_no_end_and_a_score_is_of_all_of_it(tokenizer):
    model = WritingModel(stock("encoder-decoder", tokenizer), tokenizer, longest=5).eval()
    labels = model.processor([Prompt("A")], [TEXTS[0]])["labels"]
    assert tokenizer.eos_token_id not in labels
    assert labels.shape[1] == 5
    whole = len(tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"])
    assert len(model.score([Prompt("A")], [TEXTS[0]])[0]) == whole + 1


def test_what_an_encoder_leaves_out_is_told(tokenizer):
    model = WritingModel(stock("encoder-decoder", tokenizer), tokenizer, longest=5).eval()
    short, long = model.write([Prompt("A"), Prompt(TEXTS[0])], SHORT)
    assert short.left_out == 0
    assert long.left_out == len(tokenizer(TEXTS[0])["input_ids"]) - 5


def test_what_is_learned_fits_into_the_model_s_room(tokenizer):
    model = WritingModel(stock("causal", tokenizer), tokenizer)
    long = Prompt(" ".join(TEXTS))
    batch = model.processor([long, Prompt("A")], [TEXTS[0], TEXTS[1] * 9])
    assert batch["input_ids"].shape[1] == model.room == 24
    assert model(batch).isfinite().all()
    begin, first = tokenizer.bos_token_id, batch["labels"][0]
    assert batch["input_ids"][0, 0] == begin
    assert first[first != -100].tolist() == model.processor.written(TEXTS[0], long)


def test_a_row_is_cut_where_its_prompt_or_its_text_is_too_long(writer):
    processor = writer.processor
    processor.longest = 12
    assert not processor.cuts(Prompt("A"), "man .")
    assert processor.cuts(Prompt("A"), TEXTS[0] * 2)
    assert processor.cuts(Prompt(TEXTS[0] * 2), "man .")
