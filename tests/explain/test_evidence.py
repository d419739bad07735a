"""Evidence says where a word was seen: more where hiding costs it more, as a naive count over windows gives."""

import numpy as np
import pytest
import torch
from PIL import Image

from mm_memgpt.explain.attention import attention
from mm_memgpt.explain.evidence import GRID, PRIOR, blurred, hide, occlusion, over_cells, windows
from mm_memgpt.explain.written import logprobs, written
from mm_memgpt.pipeline import load


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


def test_windows_stand_everywhere_once():
    made = windows(grid=5, sizes=(2, 4))
    assert made.shape == (4 * 4 + 2 * 2, 5, 5)
    assert sorted(made.flatten(1).sum(1).tolist()) == [4] * 16 + [16] * 4
    assert len(made.unique(dim=0)) == len(made)
    assert made.any(0).all()


def test_a_window_larger_than_the_grid_is_refused():
    with pytest.raises(ValueError, match=r"window sizes \(3, 6\) must lie in 1\.\.5"):
        windows(grid=5, sizes=(3, 6))


def test_only_what_is_hidden_changes():
    photo = torch.rand(1, 3, 40, 40)
    hidden = torch.zeros(2, 4, 4, dtype=torch.bool)
    hidden[1, 0, 2:] = True
    whole, part = hide(photo, hidden)
    assert torch.equal(whole, photo[0])
    changed = (part != photo[0]).all(0)
    assert changed[:10, 20:].all()
    assert changed.sum() == 10 * 20


def test_a_blurred_photo_keeps_its_large_fields_and_no_detail():
    checks = torch.zeros(1, 3, 96, 96)
    checks[..., ::2] = 1.0
    assert torch.allclose(blurred(checks), torch.full_like(checks, 0.5), atol=1e-5)
    flat = torch.full((1, 3, 96, 80), 0.3)
    assert torch.allclose(blurred(flat), flat, atol=1e-5)


def test_a_cells_evidence_is_a_mean_over_its_windows_drawn_to_the_average_then_over_sizes():
    covers = windows(grid=4, sizes=(1, 3))
    drops = torch.randn(len(covers), 2)
    due = torch.zeros(2, 4, 4)
    for word in range(2):
        for row in range(4):
            for column in range(4):
                means = []
                for size in (1, 9):
                    over = [n for n, cover in enumerate(covers) if cover.sum() == size and cover[row, column]]
                    average = drops[[n for n, cover in enumerate(covers) if cover.sum() == size], word].mean()
                    means.append((drops[over, word].sum() + PRIOR * average) / (len(over) + PRIOR))
                due[word, row, column] = sum(means) / 2
    assert torch.allclose(over_cells(drops, covers), due, atol=1e-6)


def test_chance_does_not_drive_the_strongest_cell_into_a_corner_as_a_plain_mean_would():
    covers = windows(sizes=(4,))
    drops = torch.randn(len(covers), 2000)
    plain = torch.einsum("nw,nhc->whc", drops, covers.float()) / covers.sum(0)
    in_a_corner = [
        torch.isin(found.flatten(1).argmax(1), torch.tensor([0, GRID - 1, GRID * (GRID - 1), GRID**2 - 1]))
        for found in (over_cells(drops, covers), plain)
    ]
    ours, theirs = (corner.float().mean().item() for corner in in_a_corner)
    assert 2 * ours < theirs


def test_evidence_is_what_hiding_a_window_costs_and_showing_it_alone_gains(model):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8))
    pixels = model.processor(images=[picture], return_tensors="pt")["pixel_values"]
    text = written(model.model, model.processor, "A brown dog .")

    def score(hidden: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return logprobs(model.model, hide(pixels, hidden[None]), text)[0]  # (w,)

    covers = windows(sizes=(7,))
    nothing = torch.zeros(GRID, GRID, dtype=torch.bool)
    halves = [(score(nothing) - score(cover) + score(~cover) - score(~nothing)) / 2 for cover in covers]
    found = occlusion(model.model, pixels, text, sizes=(7,))
    assert found.shape == (4, GRID, GRID)
    average = torch.stack(halves).mean(0)
    assert torch.allclose(found[:, 0, 0], (halves[0] + PRIOR * average) / (1 + PRIOR), atol=1e-5)
    assert torch.allclose(found[:, 0, GRID - 1], (halves[1] + PRIOR * average) / (1 + PRIOR), atol=1e-5)
    assert torch.allclose(found[:, 3, 3], average, atol=1e-5)
    assert (found[:, 0, 0] - found[:, 0, GRID - 1]).abs().max() > 1e-4


def test_a_photo_without_detail_gives_no_evidence(model):
    pixels = model.processor(images=[Image.new("RGB", (50, 70), (90, 10, 200))], return_tensors="pt")["pixel_values"]
    found = occlusion(model.model, pixels, written(model.model, model.processor, "A brown dog ."))
    assert torch.allclose(found, torch.zeros_like(found), atol=1e-5)


def test_attention_is_a_share_of_each_token_and_leaves_the_model_as_it_was(model):
    pixels = torch.randn(1, 3, *[model.processor.image_processor.size["height"]] * 2)
    text = written(model.model, model.processor, "A brown dog .")
    found = attention(model.model, pixels, text)
    side = model.model.config.image.grid
    assert found.shape == (4, side, side)
    assert (found > 0).all()
    assert (found.sum((1, 2)) <= torch.bincount(text.owner) + 1e-5).all()
    assert not any(module._forward_pre_hooks for module in model.model.modules())
