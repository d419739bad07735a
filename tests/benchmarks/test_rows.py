"""Every row of the caption benchmark reads maps through the same interface, and sees the photo where it should."""

import pytest
import torch

TEXT = torch.tensor([[0, 9, 8, 7, 1], [0, 5, 6, 1, 2], [0, 4, 4, 4, 1], [0, 3, 1, 2, 2]])
MASK = (TEXT != 2).long()


@pytest.fixture(params=["Ours", "Blind", "Prefix", "HuggingFace"])
def row(request, size):
    from benchmarks import rows

    return getattr(rows, request.param)(size).eval()


def logits(row, maps, text=TEXT):
    with torch.no_grad():
        return row(pixel_values=maps, input_ids=text, attention_mask=MASK).logits


def test_two_maps_serve_two_sentences_each_and_only_the_blind_row_does_not_see_them(row, size):
    maps = torch.randn(2, size.channels, size.cells, size.cells)
    first, second = logits(row, maps), logits(row, torch.cat([maps[:1], 2 * torch.randn_like(maps[:1])]))
    assert first.shape == (*TEXT.shape, len(size.tokenizer))
    assert torch.allclose(first[:2], second[:2], atol=1e-5)  # the first map's two sentences
    changed = (first[2:] - second[2:]).abs().max().item() > 1e-4
    assert changed == (type(row).__name__ != "Blind")


def test_a_later_token_changes_no_earlier_one(row, size):
    maps = torch.randn(2, size.channels, size.cells, size.cells)
    later = TEXT.clone()
    later[:, 2] = 11
    assert torch.allclose(logits(row, maps)[:, :2], logits(row, maps, later)[:, :2], atol=1e-5)


def test_what_it_writes_of_a_photo_is_the_same_beside_other_photos_and_has_an_end(row, size):
    maps = torch.randn(3, size.channels, size.cells, size.cells)
    together, alone = row.write(maps), row.write(maps[1:2])[0]
    assert len(together) == 3
    assert together[1, : len(alone)].tolist() == alone.tolist()
    assert together.shape[1] <= 33  # at most 32 tokens behind the first


def test_the_vision_encoder_decoder_is_about_as_large_as_ours(size):
    from benchmarks.rows import HuggingFace, Ours, count_parameters

    ours, theirs = (count_parameters(model(size)) for model in (Ours, HuggingFace))
    assert theirs == pytest.approx(ours, rel=0.3)


def test_the_blind_row_trains_its_language_model_alone(size):
    from benchmarks.rows import Blind

    trained = {name for name, each in Blind(size).named_parameters() if each.requires_grad}
    assert trained
    assert all("decoder" in name and ".cross." not in name for name in trained)


def test_every_trained_part_of_the_other_rows_gets_a_gradient(row, size):
    maps = torch.randn(2, size.channels, size.cells, size.cells)
    output = row.train()(pixel_values=maps, input_ids=TEXT, attention_mask=MASK)
    output.logits.square().sum().backward()
    idle = {name for name, each in row.named_parameters() if each.requires_grad and each.grad is None}
    assert all(".key." in name or "fuser" in name for name in idle)  # a lone photo has no others to talk with
