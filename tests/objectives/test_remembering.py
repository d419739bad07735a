"""What is remembered is what the encoders make of it; only what is to be written is learned, each example alike."""

import copy

import pytest
import torch

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.objectives.remembering import (
    Remembering,
    answer_logits,
    divergence,
    of_learned,
    paired_keys,
    perceived,
    remembered,
    right,
    sentence_keys,
)
from mm_memgpt.presets import tiny
from mm_memgpt.types import MODALITIES


@pytest.fixture
def model():
    return MMMemGPTForConditionalGeneration(tiny(vocab_size=40)).eval()


def maps(model, photos: int, pieces: int):
    """Pixels and sounds, and what the trunks make of them."""
    pixels, sounds = torch.randn(photos, 3, 64, 64), 0.1 * torch.randn(pieces, model.config.audio.samples)
    with torch.no_grad():
        seen = model.image_encoder.perceive(model.image_encoder.trunk, pixels).map
        return pixels, sounds, seen, model.audio_encoder.listen(sounds).map


def memories(seen, heard):
    """Two memories: a sentence and a photo; a photo, then two pieces of one sound."""
    second = torch.tensor([[0.0, 1.0], [2.0, 3.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [4.0, 5.0], [5.0, 6.0]])
    return {
        "image": seen,
        "audio": heard,
        "text": torch.tensor([[0, 9, 8, 1]]),
        "text_mask": torch.ones(1, 4, dtype=torch.long),
        "order": torch.tensor([[4, 1, 0], [0, 2, 3]]),
        "real": torch.tensor([[True, True, False], [True, True, True]]),
        "time": torch.stack(second).double(),
        "source": torch.tensor([[0, 1, 0], [0, 1, 1]]),
    }


def test_items_are_what_the_encoders_make_of_them_each_at_its_place(model):
    pixels, sounds, seen, heard = maps(model, 2, 2)
    with torch.no_grad():
        features = perceived(model, memories(seen, heard))
        photos, said = model.image_encoder(pixels), model.read_sound(sounds)
        note = model.read_text(torch.tensor([[0, 9, 8, 1]]))
    due = [[note.tokens[0, 0], photos.tokens[1, 0]], [photos.tokens[0, 0], said.tokens[0, 0], said.tokens[1, 0]]]
    for row, items in enumerate(due):
        for place, tokens in enumerate(items):
            torch.testing.assert_close(features.tokens[row, place], tokens, atol=1e-5, rtol=1e-4)
    assert features.mask.any(-1).tolist() == [[True, True, False], [True, True, True]]
    assert features.modality[1].tolist() == [MODALITIES.index(kind) for kind in ("image", "audio", "audio")]
    assert features.source[1].tolist() == [0, 1, 1]


def texts(rows: list[list[int]], given: list[int], owner: list[int], left: bool = False) -> dict[str, torch.Tensor]:
    longest = max(map(len, rows))
    room = [[2] * (longest - len(row)) for row in rows]
    ids = [[*pad, *row] if left else [*row, *pad] for row, pad in zip(rows, room, strict=True)]
    place = torch.stack([torch.arange(longest) - (len(pad) if left else 0) for pad in room])
    mask = (place >= 0) & (place < torch.tensor([[len(row)] for row in rows]))
    learned = mask & (place >= torch.tensor(given).unsqueeze(1))
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": mask.long(),
        "learned": learned,
        "owner": torch.tensor(owner),
    }


def test_a_lone_photo_without_a_prompt_costs_what_captioning_says(model):
    pixels, _, seen, _ = maps(model, 2, 1)
    text = texts([[0, 5, 6, 7, 1], [0, 8, 1], [0, 9, 9, 1], [0, 5, 1]], [1] * 4, [0, 0, 1, 1])
    lone = {"image": seen, "order": torch.tensor([[0], [1]]), "real": torch.ones(2, 1, dtype=torch.bool)}
    lone |= {"time": torch.zeros(2, 1, 2).double(), "source": torch.zeros(2, 1, dtype=torch.long)}
    batch = {"examples": torch.zeros(2, dtype=torch.long), "bunches": {"captions": lone | text}}
    plain = {name: text[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        due = Captioning(0.1)(model, {"pixel_values": pixels} | plain)["loss"]
        torch.testing.assert_close(Remembering(model.bank, 0.1)(model, batch)["loss"], due)


@pytest.mark.parametrize("left", [True, False])
def test_a_prompt_is_not_learned_and_every_example_counts_the_same(model, left):
    _, _, seen, heard = maps(model, 2, 2)
    told = [[0, 5, 6, 7, 1], [0, 8, 9, 1], [0, 5, 6, 8, 1]], [3, 2, 3], [0, 0, 1]
    asked = memories(seen, heard) | texts(*told, left=left)
    lone = {"audio": heard[:1], "order": torch.zeros(1, 1, dtype=torch.long), "real": torch.ones(1, 1).bool()}
    lone |= {"time": torch.zeros(1, 1, 2).double(), "source": torch.zeros(1, 1, dtype=torch.long)}
    lone |= texts([[0, 6, 1]], [1], [0])
    with torch.no_grad():
        outcome = Remembering(model.bank, 0.0)(
            model, {"examples": torch.tensor([2, 2, 1]), "bunches": {"sounds": lone, "questions": asked}}
        )
        memory, mask = model.read(model.write(perceived(model, asked)))
        logits = [
            model(input_ids=torch.tensor([row]), memory=memory[[one]], memory_mask=mask[[one]])
            .logits[0]
            .log_softmax(-1)
            for row, one in zip(told[0], told[2], strict=True)
        ]
    answers = [[(2, 7), (3, 1)], [(1, 9), (2, 1)], [(2, 8), (3, 1)]]
    due = -torch.stack([each[place, token] for each, row in zip(logits, answers, strict=True) for place, token in row])
    torch.testing.assert_close(outcome["questions"], due.mean())
    torch.testing.assert_close(outcome["loss"], (2 * due.mean() + outcome["sounds"]) / 3)


def test_padding_on_the_left_has_finite_gradients_and_few_logits(model):
    _, _, seen, heard = maps(model, 2, 2)
    bunch = memories(seen, heard) | texts([[0, 5, 6, 7, 5, 9, 1], [0, 8, 1]], [5, 1], [0, 1], left=True)
    logits = answer_logits(model, model.fuser(model.write(perceived(model, bunch))), bunch)
    assert logits.shape[1] == 3  # before "9", before the end, and the end
    logits.sum().backward()
    assert all(each.grad.isfinite().all() for each in model.parameters() if each.grad is not None)


def test_an_answer_is_right_where_all_of_it_is():
    logits = torch.nn.functional.one_hot(torch.tensor([[4, 5, 6], [4, 9, 6]]), 10).float()
    ids, learned = torch.tensor([[0, 4, 5], [0, 7, 5]]), torch.tensor([[False, False, True], [False, True, True]])
    assert right(logits, ids, learned).tolist() == [True, False]


def test_in_training_the_keys_of_a_photo_and_its_first_sentence_meet(model):
    _, _, seen, _ = maps(model, 2, 1)
    text = texts([[0, 5, 6, 1], [0, 8, 1], [0, 9, 9, 1]], [1] * 3, [0, 0, 1])
    lone = {"image": seen, "order": torch.tensor([[0], [1]]), "real": torch.ones(2, 1, dtype=torch.bool)}
    lone |= {"time": torch.zeros(2, 1, 2).double(), "source": torch.zeros(2, 1, dtype=torch.long)} | text
    batch = {"examples": torch.zeros(2, dtype=torch.long), "bunches": {"captions": lone}}
    objective = Remembering(model.bank, 0.0, keys=0.5)
    assert "keys" not in objective(model, batch)
    outcome = objective(model.train(), batch)
    outcome["loss"].backward()
    assert model.image_encoder.key.weight.grad.abs().max() > 0
    assert model.text_encoder.key.weight.grad.abs().max() > 0
    whole = sentence_keys(model.eval(), lone)
    torch.testing.assert_close(whole[1], model.read_text(torch.tensor([[0, 9, 9, 1]])).key[0, 0])
    assert len(whole) == 2


def test_the_key_of_a_clip_is_the_direction_of_its_frames_keys_and_meets_its_first_sentence(model):
    _, _, seen, _ = maps(model, 5, 1)
    text = texts([[0, 5, 6, 1], [0, 8, 1], [0, 9, 9, 1]], [1] * 3, [0, 0, 1])
    real = torch.tensor([[True, True, False], [True, True, True]])
    filmed = {"image": seen, "order": torch.tensor([[0, 1, 0], [2, 3, 4]]), "real": real}
    second = torch.arange(3.0).double()
    filmed |= {"time": torch.stack([second, second + 1], -1).repeat(2, 1, 1), "source": torch.zeros(2, 3).long()}
    batch = {"examples": torch.full((2,), 4), "bunches": {"clips": filmed | text}}
    keys = Remembering(model.bank, 0.0, keys=0.5)(model.train(), batch)["keys"]
    with torch.no_grad():
        frames = perceived(model, filmed).key
        clips = [frames[0, :2].sum(0), frames[1].sum(0)]
        written = sentence_keys(model, text)
        scale = model.text_encoder.scale.exp()
        cosines = torch.stack([torch.cosine_similarity(clip.unsqueeze(0), written) for clip in clips])
    rows = [-(scale * each).log_softmax(-1).diag().mean() for each in (cosines, cosines.T)]
    torch.testing.assert_close(keys.detach(), sum(rows) / 2)


def test_what_is_written_about_photos_is_held_to_what_the_model_wrote_before(model):
    _, _, seen, _ = maps(model, 2, 1)
    text = texts([[0, 5, 6, 1], [0, 8, 1]], [1] * 2, [0, 1])
    lone = {"image": seen, "order": torch.tensor([[0], [1]]), "real": torch.ones(2, 1, dtype=torch.bool)}
    lone |= {"time": torch.zeros(2, 1, 2).double(), "source": torch.zeros(2, 1, dtype=torch.long)} | text
    batch = {"examples": torch.zeros(2, dtype=torch.long), "bunches": {"captions": lone}}
    before = copy.deepcopy(model)
    objective = Remembering(model.bank, 0.0, before=before, hold=1.0)
    assert objective(model.train(), batch)["loss"].item() == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        model.decoder.get_input_embeddings().weight.mul_(2)
    assert objective(model, batch)["loss"] > 0.001
    assert "held" not in objective(model.eval(), batch)


def test_only_sentences_without_a_prompt_have_keys_wherever_their_padding_lies(model):
    _, _, seen, _ = maps(model, 2, 1)
    lone = {
        "image": seen,
        "order": torch.tensor([[0], [1]]),
        "real": torch.ones(2, 1, dtype=torch.bool),
        "time": torch.zeros(2, 1, 2).double(),
        "source": torch.zeros(2, 1, dtype=torch.long),
        **texts([[0, 5, 7, 9, 1], [0, 9, 1]], given=[3, 1], owner=[0, 1], left=True),
    }
    fused = model.fuser(remembered(model, lone, model.bank))
    perceived_keys, written = paired_keys(model, fused, lone)
    torch.testing.assert_close(perceived_keys, fused.key[1:])
    torch.testing.assert_close(written, model.read_text(torch.tensor([[0, 9, 1]])).key.squeeze(1))


def test_the_keys_of_sentences_are_held_to_what_they_were_before(model):
    _, _, seen, _ = maps(model, 1, 1)
    lone = {
        "image": seen,
        "order": torch.tensor([[0]]),
        "real": torch.tensor([[True]]),
        "time": torch.zeros(1, 1, 2).double(),
        "source": torch.tensor([[0]]),
        **texts([[0, 5, 7, 1], [0, 9, 3, 1]], given=[1, 1], owner=[0, 0]),
    }
    batch = {"examples": torch.tensor([0]), "bunches": {"captions": lone}}
    objective = Remembering(model.bank, 0.0, before=copy.deepcopy(model), hold=1.0, hold_keys=3.0)
    model.train()
    assert objective(model, batch)["keys_of_captions"].item() == pytest.approx(0, abs=1e-6)
    torch.nn.init.normal_(model.text_encoder.key.weight)
    found = objective(model, batch)
    now, then = (each.read_text(lone["input_ids"], lone["attention_mask"]).key for each in (model, objective.before))
    due = 1 - (now * then).sum(-1).mean()
    torch.testing.assert_close(found["keys_of_captions"], due)
    torch.testing.assert_close(found["loss"], found["held"] + 3.0 * due)
    assert "keys_of_captions" not in objective(model.eval(), batch)


def test_the_divergence_is_that_of_the_tokens_to_be_learned():
    logits, due = torch.randn(2, 4, 5), torch.randn(2, 4, 5)
    learned = torch.tensor([[False, False, True, True], [False, True, False, False]])
    one, other = logits.softmax(-1), due.softmax(-1)
    each = (other * (other / one).log()).sum(-1)
    found = divergence(of_learned(logits, learned), of_learned(due, learned))
    torch.testing.assert_close(found, (each[0, 1] + each[0, 2] + each[1, 0]) / 3)
