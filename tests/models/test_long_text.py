"""Claims about reading long text: it is causal, bounded, exact where it says so, and the bank is what it is read as."""

import copy

import pytest
import torch
from torch.nn.functional import cross_entropy

from mm_memgpt.config import DecoderConfig
from mm_memgpt.models.decoder import build_decoder
from mm_memgpt.models.long_text import LongText
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.long_text_window import turn
from mm_memgpt.models.long_text_writers import DecoderWriter
from mm_memgpt.models.seam import project_memory

WIDTH, WORDS = 16, 40
SMALL = {"segment": 6, "window": 7, "items": 3, "slots": 8, "ring": 2, "key_width": 5, "recurrent": 3}
WAYS = [
    {"writes": "none"},
    {"writes": "decoder"},
    {"writes": "decoder", "copies": False},
    {"writes": "decoder", "unit": "sentence", "tokens": 2},
    {"writes": "encoder", "tokens": 4},
    {"writes": "recurrent"},
]


def reader(gate: float = 0.7, **settings) -> LongText:
    torch.manual_seed(3)
    config = LongTextConfig(**{**SMALL, **settings})
    model = {"model_type": "llama", "hidden_size": WIDTH, "intermediate_size": 24, "num_hidden_layers": 3}
    model |= {"num_attention_heads": 2, "vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 1}
    layers = (1, 2) if config.reads_bank and not config.copies_words else ()
    width = WIDTH if config.writes == "encoder" else 2 * WIDTH
    decoder = build_decoder(DecoderConfig(model=model, layers=layers, heads=2, gate=gate, reads="after"), width)
    model = LongText(decoder, config).eval()
    if model.copying is not None:
        model.copying.gate.alpha.data.fill_(gate)
    return model


def text(tokens: int, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(2, WORDS, (rows, tokens), generator=torch.Generator().manual_seed(5))
    return ids, (torch.arange(tokens) // 4).expand(rows, -1)


def read_all(model: LongText, ids: torch.Tensor, place: torch.Tensor):
    state, found = model.begin(len(ids)), []
    for begin in range(0, ids.shape[1], model.reads.segment):
        part = slice(begin, begin + model.reads.segment)
        logits, state = model.read(state, ids[:, part], place[:, part])
        found.append(logits)
    return torch.cat(found, 1), state


@pytest.mark.parametrize("way", WAYS, ids=str)
@torch.no_grad()
def test_no_logit_knows_a_later_word(way):
    model, (ids, place) = reader(**way), text(24)
    changed = ids.clone()
    changed[:, 15:] = (changed[:, 15:] + 1) % WORDS
    before, after = (read_all(model, each, place)[0] for each in (ids, changed))
    torch.testing.assert_close(before[:, :16], after[:, :16])  # the logits at 15 predict the token at 15
    assert not torch.allclose(before[:, 16:], after[:, 16:])


@pytest.mark.parametrize("way", WAYS, ids=str)
@torch.no_grad()
def test_the_next_word_is_foretold_as_it_is_read(way):
    model, (ids, place) = reader(**way), text(24)
    _, state = read_all(model, ids[:, :18], place[:, :18])
    logits, _ = model.read(state, ids[:, 18:], place[:, 18:])
    torch.testing.assert_close(model.foretell(state), logits[:, 0])


@pytest.mark.parametrize("way", WAYS, ids=str)
@torch.no_grad()
def test_what_is_known_does_not_grow_with_the_text(way):
    model = reader(**way)
    sizes = [[each.shape for each in read_all(model, *text(tokens))[1].tensors()] for tokens in (24, 66)]
    assert sizes[0] == sizes[1]


@torch.no_grad()
def test_segments_that_keep_everything_read_as_the_stock_model_does_at_once():
    model, (ids, place) = reader(writes="none", window=None), text(20)
    whole = torch.cat([torch.zeros(2, 1, dtype=torch.long), ids], dim=1)
    due = model.decoder(whole).logits[:, :-1]
    torch.testing.assert_close(read_all(model, ids, place)[0], due, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_text_that_the_window_holds_is_read_exactly():
    ids, place = text(12)
    short, whole = (read_all(reader(writes="none", window=window), ids, place)[0] for window in (13, None))
    torch.testing.assert_close(short, whole, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_key_that_is_turned_is_the_key_at_another_place():
    model = reader(writes="none").double()
    key = torch.randn(2, 3, 4, WIDTH // 2, dtype=torch.float64)
    torch.testing.assert_close(turn(turn(key, 9, model.rotary), -4, model.rotary), turn(key, 5, model.rotary))


@torch.no_grad()
def test_a_window_reads_the_same_however_far_into_the_text():
    model = reader(writes="none", window=6)
    ids, place = text(6)
    again = ids.repeat(1, 40), place.repeat(1, 40)
    found = read_all(model, *again)[0].unflatten(1, (40, 6))
    torch.testing.assert_close(found[:, 20], found[:, -1], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("copies", [False, True])
@torch.no_grad()
def test_behind_a_closed_gate_the_bank_changes_nothing(copies):
    ids, place = text(24)
    with_bank, without = reader(gate=0.0, writes="decoder", copies=copies), reader(writes="none")
    weights = {name.replace(".layer.", "."): value for name, value in with_bank.decoder.state_dict().items()}
    without.decoder.load_state_dict({name: value for name, value in weights.items() if ".cross." not in name})
    found, due = (read_all(each, ids, place)[0].log_softmax(-1) for each in (with_bank, without))
    torch.testing.assert_close(found, due)


@torch.no_grad()
def test_merged_keys_and_values_are_those_of_the_merged_tokens():
    model, (ids, place) = reader(writes="decoder", copies=False), text(42)
    plain = copy.deepcopy(model.bank)
    plain.geometry = type(plain.geometry)(slots=8, ring=2, tokens=1, width=2 * WIDTH, key_width=5)
    state, other = model.begin(2), plain.empty(2)
    for begin in range(0, 42, 6):
        part = slice(begin, begin + 6)
        hidden, embedded = state.hidden, model.embeddings(ids[:, part])
        seen = model._run(state, embedded)[0]
        before = torch.cat([hidden.unsqueeze(1), seen[:, :-1]], dim=1)
        logits, state = model.read(state, ids[:, part], place[:, part])
        other = plain.write(other, model.writer(ids[:, part], embedded, before, logits, place[:, part]))
    assert int(state.memory.items.max()) > 1  # some have merged
    due = project_memory(model.decoder, plain.tokens(other)[0])
    torch.testing.assert_close(model._readable(state.memory)[0], due, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("way", WAYS[1:], ids=str)
def test_what_is_written_learns_from_what_is_read_later_unless_the_state_is_cut(way):
    model, (ids, place) = reader(**way), text(12)
    writes = {
        "decoder": "copying.key" if model.copying else "writer.state_norm",
        "encoder": "writer.encoder.project",
        "recurrent": "carry",
    }
    parameter = next(model.get_submodule(writes[way["writes"]]).parameters())
    for cut in (False, True):
        _, state = model.read(model.begin(2), ids[:, :6], place[:, :6])
        state = model.detach(state) if cut else state
        logits, _ = model.read(state, ids[:, 6:], place[:, 6:])
        found = torch.autograd.grad(logits.square().sum(), parameter, allow_unused=True)[0]
        assert (found is None or not found.any()) is cut


@torch.no_grad()
def test_a_word_of_the_bank_is_likelier_and_all_words_together_are_as_likely_as_before():
    model = reader(writes="decoder")
    hidden, logits = torch.randn(1, 2, WIDTH), torch.randn(1, 2, WORDS)
    keys = model.copying.keys(
        torch.cat([hidden, torch.randn(1, 2, WIDTH)], dim=1)
    )  # the first two are just these states
    words, items = torch.tensor([[4, 9, -1, 9]]), torch.tensor([[1, 1, 3, 2]])
    found = model.copying(hidden, logits, keys, words, items)
    gain = found - logits.log_softmax(-1)
    assert gain[0].argmax(-1).tolist() == [4, 9]
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(1, 2))
    assert gain[0, :, [n for n in range(WORDS) if n not in (4, 9)]].max() < 0


def test_a_gate_below_zero_copies_nothing_and_comes_back():
    model, hidden, logits = reader(gate=-0.2, writes="decoder"), torch.randn(1, 1, WIDTH), torch.zeros(1, 1, WORDS)
    keys = model.copying.keys(hidden).detach()
    found = model.copying(hidden, logits, keys, torch.tensor([[4]]), torch.tensor([[1]]))
    torch.testing.assert_close(found, logits.log_softmax(-1))
    (-found[0, 0, 4]).backward()  # copying would have been right
    assert model.copying.gate.alpha.grad < 0


@torch.no_grad()
def test_with_nothing_remembered_nothing_is_copied():
    model, logits = reader(writes="decoder"), torch.randn(2, 3, WORDS)
    empty = torch.full((2, 5), -1), torch.zeros(2, 5, dtype=torch.long)
    found = model.copying(torch.randn(2, 3, WIDTH), logits, torch.zeros(2, 5, WIDTH), *empty)
    torch.testing.assert_close(found, logits.log_softmax(-1))


@torch.no_grad()
def test_a_slot_knows_its_word_as_long_as_it_holds_no_other():
    model = reader(writes="decoder")
    ids = torch.tensor([[5, 6, 7]]).repeat(2, 40)  # three words over and over: they share slots of their own
    memory = read_all(model, ids, torch.zeros_like(ids))[1].memory
    assert set(memory.source[memory.items > 1].tolist()) <= {5, 6, 7}
    assert int(memory.items.max()) > 3


def test_the_words_it_expected_least_are_written_in_their_order():
    writer = DecoderWriter(LongTextConfig(**SMALL), WIDTH)
    ids = torch.tensor([[4, 5, 6, 7, 8, 9]])
    logits = torch.zeros(1, 6, WORDS)
    logits[0, torch.arange(6), ids[0]] = torch.tensor([5.0, 0.0, 4.0, -2.0, 6.0, -1.0])
    assert cross_entropy(logits[0], ids[0], reduction="none").topk(3).indices.tolist() == [3, 5, 1]
    embedded = torch.randn(1, 6, WIDTH)
    found = writer(ids, embedded, torch.randn(1, 6, WIDTH), logits, torch.tensor([[7, 7, 7, 8, 8, 9]]))
    assert found.time[0, :, 0].tolist() == [7.0, 8.0, 9.0]  # places 1, 3 and 5
    torch.testing.assert_close(found.tokens[0, :, 0, WIDTH:], writer.word_norm(embedded[0, [1, 3, 5]]))


def test_a_sentence_keeps_its_place_and_only_words_of_its_own():
    writer = DecoderWriter(LongTextConfig(**SMALL, unit="sentence", tokens=4), WIDTH)
    ids, place = torch.tensor([[4, 5, 6, 7, 8, 9]]), torch.tensor([[7, 7, 7, 8, 8, 9]])
    found = writer(ids, torch.randn(1, 6, WIDTH), torch.randn(1, 6, WIDTH), torch.randn(1, 6, WORDS), place)
    assert found.time[0, :, 0].tolist() == [7.0, 8.0, 9.0]
    assert found.mask.sum(-1).tolist() == [[3, 2, 1]]


def test_a_segment_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="7 tokens are more than a segment, 6; give them in parts"):
        reader().read(reader().begin(2), *text(7))


def test_a_decoder_without_rotary_positions_takes_no_window():
    model = {"model_type": "gpt2", "n_embd": WIDTH, "n_layer": 2, "n_head": 2, "vocab_size": WORDS}
    decoder = build_decoder(DecoderConfig(model=model, layers=(), heads=2), WIDTH)
    with pytest.raises(ValueError, match="GPT2LMHeadModel has no rotary positions"):
        LongText(decoder, LongTextConfig(writes="none"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"writes": "all"}, "writes 'all' is unknown; known: none, decoder, encoder, recurrent"),
        ({"unit": "page"}, "unit 'page' is unknown; known: word, sentence"),
        ({"tokens": 2}, "a word is one token, not 2"),
        ({"window": -1}, "window -1 must be at least 0"),
        ({"items": 200}, "items 200 are more than a segment of 128 tokens has"),
        ({"segment": 0}, "segment 0 must be at least 1"),
    ],
)
def test_bad_settings_name_the_way_out(settings, message):
    with pytest.raises(ValueError, match=message):
        LongTextConfig(**settings)
