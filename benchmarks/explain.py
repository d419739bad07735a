"""Does the evidence for a word lie in the part of a photo that the word is about? On montages of two unlike photos.

python benchmarks/explain.py --data ../shared/data/flickr8k/test.parquet

Notable: prints one table and puts it into docs/explain.md between its markers, with a plot of what becomes of a word as
the cells that a method holds strongest are hidden, most important first. Attention is drawn out to the same cells.

w words   g cells per side
"""

from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from tqdm import tqdm

import mm_memgpt
from mm_memgpt.datasets.base import read
from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.explain.evidence import GRID, hide
from mm_memgpt.explain.montage import Montage, montages
from mm_memgpt.explain.written import logprobs, written
from mm_memgpt.pipeline import Pipeline

METHODS = {"occlusion": "evidence (ours)", "attention": "attention", "random": "random cells"}
HIDDEN = (0, 4, 8, 16, 24, 32, 48, 64)
"""How many of the 64 cells are hidden, along the deletion curve."""
DOCS = Path(__file__).parents[1] / "docs"


def grids(model: Pipeline, photo: Montage, caption: str, draw: torch.Generator) -> dict[str, Tensor]:
    """What each method says of each word, on the same cells: (w, g, g)."""
    ours = model.explain(photo.photo, caption).evidence
    looked = model.explain(photo.photo, caption, method="attention").evidence
    looked = interpolate(looked[None], size=(GRID, GRID), mode="bilinear", align_corners=False)[0]
    return {"occlusion": ours, "attention": looked, "random": torch.rand(ours.shape, generator=draw)}


def hits(found: dict[str, Tensor], belongs: dict[int, int]) -> list[int]:
    """How many words have their strongest cell in the half they belong to, by method; then how many words there are."""
    strongest = {method: grid.flatten(1).argmax(1) % GRID >= GRID // 2 for method, grid in found.items()}
    right = [sum(int(strongest[method][word]) == half for word, half in belongs.items()) for method in METHODS]
    return [*right, len(belongs)]


def curves(model: Pipeline, photo: Montage, caption: str, found: dict[str, Tensor], belongs: dict[int, int]) -> Tensor:
    """Log-probability of each such word as its strongest cells are hidden: (words, methods, steps)."""
    ranks = torch.stack([grid.flatten(1).argsort(1, descending=True).argsort(1) for grid in found.values()])
    ranks = ranks[:, list(belongs)]  # (methods, words, g*g)
    hidden = torch.stack([ranks < count for count in HIDDEN], dim=2)  # (methods, words, steps, g*g)
    pixels = model.processor(images=[photo.photo], return_tensors="pt")["pixel_values"]
    text = written(model.model, model.processor, caption)
    with torch.inference_mode():
        scores = logprobs(model.model, hide(pixels, hidden.reshape(-1, GRID, GRID)), text)  # (m*words*steps, w)
    scores = scores.reshape(len(METHODS), len(belongs), len(HIDDEN), -1)
    return torch.stack([scores[:, place, :, word] for place, word in enumerate(belongs)])


def measure(model: Pipeline, photos: list[Montage]) -> tuple[list[Score], np.ndarray, int]:
    """The share of words in the right half by method, the mean drops (methods, steps), and the number of words."""
    counts, drops, draw = [], [], torch.Generator().manual_seed(0)
    for photo in tqdm(photos, unit="montage"):
        caption = model.caption(photo.photo).text
        found = grids(model, photo, caption, draw)
        halves = {place: photo.half(word) for place, word in enumerate(caption.split())}
        belongs = {place: half for place, half in halves.items() if half is not None}
        counts.append(hits(found, belongs))
        if belongs:
            curve = curves(model, photo, caption, found, belongs)
            drops.append(curve - curve[..., :1])
    scores = bootstrap(np.array(counts, dtype=float), lambda sums: sums[:, :-1] / sums[:, -1:].clip(1))
    return scores, torch.cat(drops).mean(0).numpy(), sum(count[-1] for count in counts)


def table(scores: list[Score], drops: np.ndarray, words: int, photos: int) -> str:
    """One row a method: the share with its interval, and what hiding a quarter of the photo costs a word."""
    quarter = HIDDEN.index(GRID**2 // 4)
    rows = [
        f"| {title} | {score.value:.3f} | {score.low:.3f} to {score.high:.3f} | {drop[quarter]:.2f} |"
        for title, score, drop in zip(METHODS.values(), scores, drops, strict=True)
    ]
    head = [
        f"{words} content words that belong to one half, in the captions of {photos} montages.",
        "",
        "| | strongest cell in the right half | 95% interval | log-probability, strongest quarter hidden |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def plot(drops: np.ndarray, file: Path) -> None:
    """The deletion curves."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.6), layout="constrained")
    for title, drop, style in zip(METHODS.values(), drops, ("o-", "s--", "^:"), strict=True):
        axes.plot([100 * count / GRID**2 for count in HIDDEN], drop, style, label=title)
    axes.set(xlabel="cells hidden, strongest first (%)", ylabel="change of the word's log-probability (nats)")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main() -> None:
    """Measures, prints, and renews the page and its plot."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="photos with captions: any source that a recipe may name")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--montages", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--print-only", action="store_true", help="leave the page and the plot as they are")
    arguments = parser.parse_args()
    photos = montages(list(read(arguments.data)), arguments.montages, arguments.seed)
    scores, drops, words = measure(mm_memgpt.load(arguments.model), photos)
    result = table(scores, drops, words, len(photos))
    print(result)
    if arguments.print_only:
        return
    plot(drops, DOCS / "images" / "explain_deletion.png")
    replace_sections(DOCS / "explain.md", {"explain": result})


if __name__ == "__main__":
    main()
