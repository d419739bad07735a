"""Vectors of entities score as their papers write it, are ranked as it is done by hand, and learn what follows."""

import cmath
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.cli import main
from mm_memgpt.evaluation.filtered_ranking import Queries, filtered_ranks, filtered_scores, queries_of
from mm_memgpt.knowledge.embeddings import MODELS
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.objectives.entities import OneToAll, SelfAdversarial
from mm_memgpt.training.entities import QueryExamples, collate, spread_evenly
from mm_memgpt.types import InputError

ENTITIES, RELATIONS, WIDTH = 7, 3, 4


def model_of(kind: str, spread: float = 0.7):
    return MODELS[kind](ENTITIES, RELATIONS, WIDTH, spread)


def numbers(vector: torch.Tensor) -> list[complex]:
    """A vector's complex numbers."""
    real, imaginary = vector.tolist()[: len(vector) // 2], vector.tolist()[len(vector) // 2 :]
    return [complex(*pair) for pair in zip(real, imaginary, strict=True)]


def by_formula(kind: str, head: torch.Tensor, relation: torch.Tensor, tail: torch.Tensor) -> float:
    if kind == "transe":
        return -(
            sum((h + r - t) ** 2 for h, r, t in zip(head.tolist(), relation.tolist(), tail.tolist(), strict=True))
            ** 0.5
        )
    if kind == "distmult":
        return sum(h * r * t for h, r, t in zip(head.tolist(), relation.tolist(), tail.tolist(), strict=True))
    if kind == "complex":
        parts = zip(numbers(head), numbers(relation), numbers(tail), strict=True)
        return sum(h * r * t.conjugate() for h, r, t in parts).real
    parts = zip(numbers(head), relation.tolist(), numbers(tail), strict=True)
    return -(sum(abs(h * cmath.exp(1j * angle) - t) ** 2 for h, angle, t in parts) ** 0.5)


@pytest.mark.parametrize("kind", MODELS)
def test_it_scores_as_its_formula_says(kind):
    model = model_of(kind)
    head, relation, tail = torch.tensor([0, 3, 5]), torch.tensor([0, 2, 1]), torch.tensor([1, 3, 6])
    wanted = [
        by_formula(kind, model.entity.weight[h], model.relation.weight[r], model.entity.weight[t])
        for h, r, t in zip(head, relation, tail, strict=True)
    ]
    assert model.score(head, relation, tail).tolist() == pytest.approx(wanted, abs=1e-5)
    tails, heads = model.score_all_tails(head, relation), model.score_all_heads(relation, tail)
    assert tails.shape == heads.shape == (3, ENTITIES)
    assert tails[range(3), tail].tolist() == pytest.approx(wanted, abs=1e-5)
    back = model.score(tail, relation + RELATIONS, head)
    torch.testing.assert_close(heads[range(3), head], back, atol=1e-5, rtol=0)


def test_order_counts_for_complex_numbers_and_not_for_real_ones():
    forth, back = torch.tensor([1]), torch.tensor([2])
    relation = torch.tensor([0])
    for kind, is_symmetric in {"distmult": True, "complex": False, "rotate": False, "transe": False}.items():
        model = model_of(kind)
        assert torch.allclose(model.score(forth, relation, back), model.score(back, relation, forth)) is is_symmetric


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("objective", [OneToAll(), OneToAll(4, 0.1, 0.2), SelfAdversarial(5, 2.0)])
def test_every_vector_that_is_asked_gets_a_gradient(kind, objective):
    model, queries = model_of(kind), queries_of(np.array([[0, 0, 1], [0, 0, 2], [4, 2, 5]]), RELATIONS)
    examples = QueryExamples(queries)
    batch = collate([examples[place] for place in range(len(examples))])
    assert (batch["head"].shape, batch["tail"].shape, batch["owner"].tolist()) == ((5,), (6,), [0, 0, 1, 2, 3, 4])
    objective(model, batch)["loss"].backward()
    asked = sorted({*batch["head"].tolist(), *batch["tail"].tolist()})
    assert (model.entity.weight.grad[asked].abs().sum(-1) > 0).all()
    assert (model.relation.weight.grad[batch["relation"]].abs().sum(-1) > 0).all()


def test_one_to_all_is_the_cross_entropy_of_each_tail_among_the_wrong_ones():
    model = model_of("complex")
    batch = {"head": [0, 3], "relation": [1, 4], "tail": [2, 5, 6], "owner": [0, 0, 1]}
    batch = {name: torch.tensor(value) for name, value in batch.items()}
    scores = model.score_all_tails(batch["head"], batch["relation"]).softmax(-1)
    wrong = scores.clone()
    wrong[[0, 0, 1], [2, 5, 6]] = 0
    each = [
        -torch.log(scores[row, tail] / (scores[row, tail] + wrong[row].sum())) for row, tail in ((0, 2), (0, 5), (1, 6))
    ]
    wanted = (each[0] / 2 + each[1] / 2 + each[2]) / 2
    torch.testing.assert_close(OneToAll()(model, batch)["loss"], wanted)
    torch.testing.assert_close(OneToAll(drawn=ENTITIES)(model, batch)["loss"], wanted)


def test_self_adversarial_sampling_is_as_its_paper_writes_it():
    model = model_of("rotate")
    batch = {name: torch.tensor([value]) for name, value in {"head": 0, "relation": 1, "tail": 2, "owner": 0}.items()}
    distance = -model.score_all_tails(batch["head"], batch["relation"])[0]
    wrong = torch.cat([distance[:2], distance[3:]])
    share = (-2 * wrong).softmax(-1)
    wanted = -torch.log(torch.sigmoid(3 - distance[2])) - (share * torch.log(torch.sigmoid(wrong - 3))).sum()
    loss = SelfAdversarial(drawn=ENTITIES, margin=3.0, temperature=2.0)(model, batch)["loss"]
    torch.testing.assert_close(loss, wanted / 2)


SCORES = torch.tensor([[5.0, 4.0, 4.0, 3.0, 1.0], [0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
"""Of five entities as tails of entities 0, 1, 2."""


def test_ranks_are_those_by_hand_without_the_other_right_ones():
    known = queries_of(np.array([[0, 0, 0], [0, 0, 2], [0, 0, 4], [1, 0, 3]]), relations=1)
    asked = Queries(np.array([0, 1]), np.array([0, 0]), np.array([0, 2, 3]), np.array([2, 4, 3]))
    ranks = filtered_ranks(lambda head, relation: SCORES[head], asked, known)
    # 0: entity 2 is level with 1, entity 0 is right too: (1 + 2) / 2; entity 4 stands behind 1 and 3. 1: all are level
    assert ranks.tolist() == [1.5, 3.0, 3.0]
    figures = filtered_scores(ranks)
    assert figures["mrr"].value == pytest.approx((1 / 1.5 + 1 / 3 + 1 / 3) / 3)
    assert [figures[f"hits@{depth}"].value for depth in (1, 3, 10)] == [0, 1, 1]
    assert figures["mrr"].low <= figures["mrr"].value <= figures["mrr"].high


def test_a_score_that_is_not_a_number_is_refused():
    asked = queries_of(np.array([[0, 0, 1]]), relations=1)
    with pytest.raises(ValueError, match="3 of 6 scores are not a number"):
        filtered_ranks(lambda head, relation: torch.tensor([[1.0] * 3, [torch.nan] * 3]), asked, asked)
    with pytest.raises(ValueError, match="no ranks"):
        filtered_scores([])


@given(st.lists(st.tuples(*[st.integers(0, 4), st.integers(0, 1), st.integers(0, 4)]), min_size=1, max_size=20))
def test_both_sides_of_every_triple_are_asked_once(rows):
    queries = queries_of(np.array(rows), relations=2)
    asked = {
        (head, relation, tail)
        for row, (head, relation) in enumerate(zip(queries.head.tolist(), queries.relation.tolist(), strict=True))
        for tail in queries.of(row).tolist()
    }
    assert asked == {*rows} | {(tail, relation + 2, head) for head, relation, tail in rows}
    assert len(asked) == len(queries.tails)
    few = spread_evenly(queries, 3)
    assert len(few) == min(3, len(queries))
    assert few.of(len(few) - 1).tolist() in [queries.of(row).tolist() for row in range(len(queries))]


def families(folder: Path) -> None:
    """A made graph of 30 entities: five families of six in a ring of `next`, whose way back is `before`; half of the
    latter is kept apart, and follows from the rule."""
    triples = {"train": [], "valid": [], "test": []}
    for family in range(5):
        for place in range(6):
            one, other = 6 * family + place, 6 * family + (place + 1) % 6
            triples["train"].append((one, "next", other))
            part = "train" if place % 2 else ("valid", "test")[family % 2]
            triples[part].append((other, "before", one))
    for part, rows in triples.items():
        lines = "".join(f"person_{head}\t{relation}\tperson_{tail}\n" for head, relation, tail in rows)
        (folder / f"{part}.tsv").write_text(lines)


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A function that writes a recipe of the made graph; keywords change its keys."""
    monkeypatch.chdir(tmp_path)
    families(tmp_path)

    def write(**changes) -> str:
        values = {
            "model": "complex",
            **{
                part: {"path": f"{file}.tsv"} for part, file in (("train", "train"), ("val", "valid"), ("test", "test"))
            },
            "output": "output",
            "width": 24,
            "regularisation": 0.02,
            "checkpoints": 2,
            "optimiser": {"epochs": 60, "batch": 8, "rate": 0.03, "weight_decay": 0, "warmup": 0},
        }
        Path("recipe.yaml").write_text(yaml.safe_dump(values | changes))
        return "recipe.yaml"

    return write


def test_what_follows_from_a_rule_is_always_right(recipe, capsys):
    assert main(["train", recipe()]) == 0
    figures = dict(each.split("=") for each in capsys.readouterr().out.split())
    assert float(figures["eval_hits@1"]) == 1.0
    kept = EntityEmbeddings.read("output")
    test = [line.split("\t") for line in Path("test.tsv").read_text().splitlines()]
    assert [kept.answers(head, relation, most=1)[0].name for head, relation, _ in test] == [
        tail.replace("_", " ") for _, _, tail in test
    ]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(recipe):
    from mm_memgpt.training.trainer import RecipeTrainer

    short = {"epochs": 2, "batch": 8, "rate": 0.03, "weight_decay": 0}
    path = recipe(drawn=9, dropout=0.1, optimiser=short, checkpoints=4)
    assert main(["train", path, "--set", "output=whole"]) == 0
    step = RecipeTrainer.training_step

    def stopping(self, *args, **kwargs):
        if self.state.global_step == 7:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecipeTrainer, "training_step", stopping)
        assert main(["train", path]) == 130
    assert main(["train", path, "--resume"]) == 0
    assert Path("output/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


def test_a_saved_model_is_the_same_and_knows_its_names(recipe, tmp_path):
    assert main(["train", recipe(optimiser={"epochs": 1, "batch": 8, "rate": 0.03})]) == 0
    kept = EntityEmbeddings.read("output")
    kept.save("again")
    assert Path("again/model.safetensors").read_bytes() == Path("output/model.safetensors").read_bytes()
    assert Path("again/entities.json").read_text() == Path("output/entities.json").read_text()
    near = kept.nearest("Person 3", most=4)
    assert len(near) == 4
    assert 3 not in {each.entity for each in near}
    assert [each.score for each in near] == sorted((each.score for each in near), reverse=True)
    with pytest.raises(InputError, match="no entity 'person 300'; did you mean person 3"):
        kept.nearest("person 300")


def test_a_folder_that_is_broken_is_refused(recipe, tmp_path):
    assert main(["train", recipe(optimiser={"epochs": 1, "batch": 8, "rate": 0.03})]) == 0
    names = json.loads(Path("output/entities.json").read_text())
    names["entities"].pop()
    Path("output/entities.json").write_text(json.dumps(names))
    with pytest.raises(InputError, match=r"^output: broken, or of another model \(.*\); train it again$"):
        EntityEmbeddings.read("output")
    with pytest.raises(InputError, match=r"^nowhere: no entities.json; give a folder that a recipe of entities wrote$"):
        EntityEmbeddings.read("nowhere")


def test_broken_triples_are_counted_and_the_run_goes_on(recipe, capsys):
    with open("train.tsv", "a") as file:
        file.write("person_1\tnext\n")
    assert main(["train", recipe(optimiser={"epochs": 1, "batch": 8, "rate": 0.03})]) == 0
    assert json.loads(Path("output/report.json").read_text())["skipped"] == [
        "train.tsv:46: has 2 cells, but head, relation, tail are 3; part them by tabs, or name all in a first line"
    ]
    assert "skipped 1 sample: train.tsv:46" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "transh"}, "recipe.yaml: model 'transh' is unknown; known: transe, distmult, complex, rotate"),
        ({"loss": "self_adversarial"}, "say how many: drawn: 1000"),
        ({"width": 7}, "width 7 must be even and at least 2; try 200"),
        ({"val": {"path": "none.tsv"}}, "none.tsv: no such file; check the path"),
        ({"val": {"path": "valid.tsv", "where": {"split": "x"}}}, "valid.tsv: no column 'split' for where"),
    ],
)
def test_a_bad_recipe_is_one_line(recipe, capsys, changes, message):
    assert main(["train", recipe(**changes)]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert message in line
