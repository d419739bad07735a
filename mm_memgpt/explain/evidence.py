"""Evidence for each word over the photo, by leaving parts of it out and writing the same sentence again.

Notable: evidence is causal, not attention: how much less probable a word becomes when a part is blurred beyond
recognition, and how much more when it alone is not; parts are overlapping square windows of several sizes, because a
thing is larger than a cell, and a cell's evidence is a mean over the windows that cover it.

n windows   w words   h rows of cells   c columns of cells
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from mm_memgpt.explain.written import Written, logprobs
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration

GRID = 8
"""Cells per side of the photo."""
SIZES = (4, 6)
"""Cells per side of the windows; chosen on montages of validation photos (docs/explain.md)."""
PRIOR = 2
"""A cell's mean counts as if so many more windows, of average effect, covered it; chosen with the sizes."""
COARSE = 6
"""What a blurred photo keeps: the mean colours of so many fields per side."""


class Evidence(NamedTuple):
    """How much each word of a sentence rests on each part of a photo."""

    words: tuple[str, ...]
    """The w words."""
    evidence: Tensor
    """(w, h, c) float, nats: row 0 is the top of the photo, column 0 its left; below 0 is evidence against."""


def windows(grid: int = GRID, sizes: tuple[int, ...] = SIZES) -> Tensor:
    """Every place of a square window of each size on a grid of cells: (n, grid, grid), True inside.

    Raises:
        ValueError: a window is larger than the grid, or empty.
    """
    if not all(1 <= size <= grid for size in sizes):
        raise ValueError(f"window sizes {sizes} must lie in 1..{grid}, the grid's side; try sizes={SIZES}")
    made = []
    for size in sizes:
        for top in range(grid - size + 1):
            for left in range(grid - size + 1):
                window = torch.zeros(grid, grid, dtype=torch.bool)
                window[top : top + size, left : left + size] = True
                made.append(window)
    return torch.stack(made)


def blurred(pixel_values: Tensor) -> Tensor:
    """Photos (n, 3, h, w) of which only the colours of a few large fields are left, of the same shape."""
    fields = functional.adaptive_avg_pool2d(pixel_values, COARSE)
    return functional.interpolate(fields, size=pixel_values.shape[-2:], mode="bicubic", align_corners=False)


def hide(pixel_values: Tensor, hidden: Tensor) -> Tensor:
    """A photo (1, 3, h, w) with its hidden cells (n, rows, columns) blurred, once for each: (n, 3, h, w)."""
    where = functional.interpolate(hidden.unsqueeze(1).to(pixel_values), size=pixel_values.shape[-2:])
    return torch.lerp(pixel_values, blurred(pixel_values), where)


@torch.inference_mode()
def occlusion(
    model: MMMemGPTForConditionalGeneration, pixel_values: Tensor, text: Written, sizes: tuple[int, ...] = SIZES
) -> Tensor:
    """Evidence of each cell of a photo (1, 3, h, w) for each word of the text, nats: (w, GRID, GRID).

    For word t and cell x it is, as a mean (see `over_cells`) over the windows W of a size that cover x, and over sizes,
    `1/2 (log p(t | all) - log p(t | all but W)) + 1/2 (log p(t | W alone) - log p(t | nothing))`: the two ends of what
    a Shapley value averages, which part comes last and which comes first. Every pass is of one batch.
    """
    covers = windows(GRID, sizes)
    whole = torch.zeros(1, GRID, GRID, dtype=torch.bool)
    hidden = torch.cat([whole, covers, ~covers, ~whole])
    full, without, alone, nothing = logprobs(model, hide(pixel_values, hidden), text).split(
        [1, len(covers), len(covers), 1]
    )
    return over_cells((full - without + alone - nothing) / 2, covers)


def over_cells(drops: Tensor, covers: Tensor) -> Tensor:
    """Drops by window (n, w) as evidence by cell (w, h, c): the mean over a size's windows, then over sizes.

    One window alone covers a corner, and many the middle, so a plain mean would have its extremes in the corners; PRIOR
    draws the cells that few windows cover towards the size's average.
    """
    sizes = covers.flatten(1).sum(1)
    grids = []
    for size in sizes.unique():
        chosen, drop = covers[sizes == size].to(drops), drops[sizes == size]
        average = drop.mean(0)
        above = torch.einsum("nw,nhc->whc", drop - average, chosen) / (chosen.sum(0) + PRIOR)
        grids.append(average[:, None, None] + above)
    return torch.stack(grids).mean(0)
