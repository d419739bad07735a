"""Link prediction on FB15k-237 and WN18RR: TransE, DistMult, ComplEx and RotatE, trained and ranked in the same way.

    python -m benchmarks.entities --write

Notable: each model has its recipe's checkpoint that was best on validation, and test is ranked once, filtered and on
both sides, with all entities; what was trained before is not trained again. Core seconds are the process's own, so
they hold on a machine that does other things too.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.errors import tells_errors
from benchmarks.page import interval
from mm_memgpt.evaluation.bootstrap import Score
from mm_memgpt.evaluation.filtered_ranking import filtered_ranks, filtered_scores
from mm_memgpt.evaluation.markers import replace_sections
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.training.entities import PARTS, Splits, read_splits, train
from mm_memgpt.training.entities_recipe import EntitiesRecipe
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.types import InputError

SETS = {"fb15k237": "FB15k-237", "wn18rr": "WN18RR"}
"""Sets by the ending of their recipe."""

TITLES = {"transe": "TransE", "distmult": "DistMult", "complex": "ComplEx", "rotate": "RotatE"}

DISTANCE = ["regularisation=0", "spread=0.03", "optimiser.rate=0.05", "optimiser.precision=fp32"]
"""What the two that measure distances have otherwise than the recipe, which is ComplEx's; of N3 they have no use."""

CHANGES = {"transe": DISTANCE, "distmult": [], "complex": [], "rotate": DISTANCE}

HEAD = (
    "| set | model | parameters, M | MRR | hits@1 | hits@3 | hits@10 | of heads, MRR | of tails, MRR | core seconds |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def measured(name: str, model: str, given: argparse.Namespace) -> dict[str, Any]:
    """A model's figures on the test part of a set; it is trained first, unless its folder holds a finished run.

    Raises:
        InputError: no such recipe or data.
    """
    output = given.output / f"{name}_{model}"
    changes = [f"model={model}", f"output={output}", *CHANGES[model], *given.set]
    recipe = read_recipe(given.recipes / f"entities_{name}.yaml", changes, EntitiesRecipe)
    timed = output / "core_seconds.json"
    if not timed.exists():
        started = time.process_time()
        train(recipe)
        timed.write_text(f"{time.process_time() - started:.1f}\n", encoding="utf-8")
    splits = read_splits(recipe, _raise)
    kept = EntityEmbeddings.read(output)
    ranks = ranks_of_test(kept, splits)
    return {
        "parameters": sum(value.numel() for value in kept.model.parameters()),
        "core_seconds": json.loads(timed.read_text(encoding="utf-8")),
        "test": filtered_scores(np.concatenate([*ranks.values()])),
        **{side: filtered_scores(each)["mrr"] for side, each in ranks.items()},
    }


def ranks_of_test(kept: EntityEmbeddings, splits: Splits) -> dict[str, np.ndarray]:
    """Ranks of the test triples' heads, which reciprocal relations ask for, and of their tails.

    Raises:
        InputError: the model is of other entities.
    """
    if kept.graph.entities != splits.graph.entities:
        raise InputError("the model is of other entities than the triples; train it again")
    if "test" not in splits.parts:
        raise InputError(f"the recipe has no test part; of {', '.join(PARTS)} it has {', '.join(splits.parts)}")
    asked = splits.queries("test")
    ranks = filtered_ranks(kept.model.score_all_tails, asked, splits.queries())
    is_back = np.repeat(asked.relation >= len(splits.graph.relations), np.diff(asked.begins))
    return {"heads": ranks[is_back], "tails": ranks[~is_back]}


def line(name: str, model: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    scores = {figure: Score(*each) for figure, each in found["test"].items()}
    cells = [
        SETS[name],
        TITLES[model],
        f"{found['parameters'] / 1e6:.1f}",
        interval(scores["mrr"]),
        *(f"{scores[f'hits@{depth}'].value:.3f}" for depth in (1, 3, 10)),
        *(f"{found[side][0]:.3f}" for side in ("heads", "tails")),
        f"{found['core_seconds']:,.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _raise(error: InputError) -> None:
    raise error


@tells_errors
def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="default: both")
    parser.add_argument("--models", nargs="+", choices=TITLES, default=list(TITLES), help="default: all four")
    parser.add_argument("--recipes", type=Path, default=Path("recipes"), help="default: %(default)s")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a value of all recipes")
    parser.add_argument("--output", type=Path, default=Path("runs/entities"), help="models and figures")
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_knowledge.md"), help="default: %(default)s")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    figures = given.output / "figures.json"
    results = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    for name in given.sets:
        for model in given.models:
            results[f"{name}_{model}"] = found = measured(name, model, given)
            print(line(name, model, found), flush=True)
            figures.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if given.write:
        rows = [(name, model) for name in SETS for model in TITLES if f"{name}_{model}" in results]
        table = [*HEAD, *(line(*row, results["_".join(row)]) for row in rows)]
        replace_sections(given.page, {"entities": "\n".join(["", *table, ""])})
    return 0


if __name__ == "__main__":
    sys.exit(main())
