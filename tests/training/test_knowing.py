"""Photos with facts: what is linked to what, what is left out, and that a run learns them by the one loop."""

import json
from random import Random

import pytest
import torch

from mm_memgpt.datasets.photo_facts import KIND, PART, SYNSETS, THERE, ThingFact, kept_for_test
from mm_memgpt.knowledge.embeddings import MODELS
from mm_memgpt.knowledge.entity_embeddings import EntityEmbeddings
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.models.loading import read_model
from mm_memgpt.training.bunches import Bunches
from mm_memgpt.training.knowing import PLACE, Looks, facts_of, related, said_of, vectors_of
from mm_memgpt.training.library import Library
from mm_memgpt.training.recipe import read_recipe
from mm_memgpt.training.run import train
from mm_memgpt.training.tasks import build_task
from mm_memgpt.types import InputError

MIXTURE = {"captions": 0.2, "sounds": 0, "questions": 0, "summaries": 0, "facts": 0.8}
LINKED = {"heads": 4, "order": True, "relations": True}


@pytest.fixture
def knowing(remembering, tmp_path):
    """A function that gives what makes a part's examples, where the model says the captions that people wrote."""

    def make(part: str, **knowledge):
        fusion = LINKED | ({"entity_width": 4} if "entities" in knowledge else {})
        recipe = read_recipe(remembering(tmp_path, MIXTURE, fusion=fusion, knowledge=knowledge))
        task = build_task(recipe)
        made = next(each for each in task.examples(None) if ("val" in part) == (each.makers["facts"].training is False))
        maker = made.makers["facts"]
        [file] = maker.looks
        said = [" ".join(each) for each in maker.maps[file].captions]
        fits = torch.zeros(len(said), len(SYNSETS))
        maker.looks[file] = Looks(said, fits)
        return maker

    return make


def examples(maker, count=60):
    found = (maker(Random(f"{number}")) for number in range(count))
    return [example for example in found if example is not None]


def test_facts_about_one_thing_are_related_and_the_photo_to_what_it_is_linked_to():
    facts = [ThingFact("dog", KIND, "canine"), ThingFact("cat", KIND, "feline"), ThingFact("dog", PART, "flag")]
    found = related(facts, [1, 0.25, 1])
    assert found.tolist() == [
        [0, 0, 0.5, 1],
        [0, 0, 0, 0.25],
        [0.5, 0, 0, 1],
        [1, 0.25, 1, 0],
    ]


def test_a_thing_is_beside_what_is_asked_for_where_it_is_asked_for_and_called_otherwise_now_and_then(knowing):
    maker = knowing("train")
    assert maker.shown.keys() == {thing for thing in maker.known.weights if not kept_for_test(thing)}
    written = [
        [maker.texts.tokenizer.decode(item.content[1:-1]) for item in example["items"][:-1]]
        for example in examples(maker, 150)
    ]
    heads = [
        fact.lower().split(" is a kind")[0].split(" has the part")[0].strip() for facts in written for fact in facts
    ]
    strange = [head not in maker.known.weights for head in heads]
    assert 0.05 < sum(strange) / len(strange) < 0.45


def test_a_fact_is_read_as_a_memory_keeps_it():
    assert said_of(ThingFact("dog", KIND, "canine")) == "dog is a kind of canine"


def test_the_photo_stands_behind_its_facts_and_what_settles_the_question_is_told(knowing):
    maker = knowing("val")
    for example in examples(maker):
        [text], items = example["text"], example["items"]
        assert [item.kind for item in items] == ["text"] * (len(items) - 1) + ["image"]
        fact, photo = text.about
        assert photo == len(items) - 1 == items[photo].source
        asked = maker.texts.tokenizer.decode(text.tokens[1 : text.given])
        if "Does" not in asked:  # people's sentences name what is there, so the photo is linked to what settles it
            assert example["relations"][fact, photo] == example["relations"][photo].max() == 1
        assert example["relations"].shape == (len(items),) * 2


def test_training_links_are_lost_and_wrong_now_and_then_and_leave_the_test_things_out(knowing):
    maker = knowing("train")
    links = torch.cat([example["relations"][-1, :-1] for example in examples(maker, 200)])
    assert 0.02 < (links == 0).float().mean() < 0.4
    assert 0.15 < (links == 1).float().mean() < 0.5
    kept = [thing for thing in ("boat", "snow") if kept_for_test(thing)]
    assert kept
    told = [
        maker.texts.tokenizer.decode(item.content[1:-1]).lower()
        for example in examples(maker)
        for item in example["items"]
        if item.kind == "text"
    ]
    assert not [fact for fact in told if fact.startswith(tuple(kept))]


def test_without_facts_the_photo_and_the_question_stay(knowing):
    maker = knowing("val")
    photo = maker.photos[0]
    question = maker.known.ask(photo.facts, Random(0), None)
    whole, bare = (maker.example(photo, question, Random(0), informed) for informed in (True, False))
    assert [item.kind for item in bare["items"]] == ["image"]
    assert torch.equal(bare["items"][0].content, whole["items"][-1].content)
    assert torch.equal(bare["text"][0].tokens, whole["text"][0].tokens)
    assert bare["relations"].tolist() == [[0]]


@pytest.fixture
def vectors(tmp_path, world):
    """A folder of vectors of width 4 for two of the world's things."""
    torch.manual_seed(0)
    graph = KnowledgeGraph.of_names(
        ("02084071", "02121620"), ("_hypernym",), entity_names=(("dog",), ("cat",)), relation_names=("hypernym",)
    )
    EntityEmbeddings("distmult", MODELS["distmult"](2, 1, 4), graph).save(tmp_path / "vectors")
    return tmp_path / "vectors"


def test_a_fact_has_its_heads_vector_and_the_photo_the_mean_of_those_it_is_linked_to(knowing, vectors):
    known = vectors_of(vectors)
    assert known.keys() == {"dog", "cat"}
    assert known["dog"].norm().item() == pytest.approx(1)
    maker = knowing("val", entities=str(vectors), relations=False)
    facts = [ThingFact("dog", KIND, "canine"), ThingFact("horse", KIND, "equine"), ThingFact("cat", KIND, "feline")]
    names = ["dog", "horse", "cat"]
    found = maker._entities(facts, [1, 0, 0.5], names, Random(0))
    assert torch.equal(found[0], known["dog"])
    assert found[1].tolist() == [0] * 4
    torch.testing.assert_close(found[3], (known["dog"] + 0.5 * known["cat"]) / 1.5)
    assert maker._entities(facts, [0] * 3, names, Random(0))[3].tolist() == [0] * 4
    renamed = maker._entities(facts, [1, 0, 0], ["flute", "harp", "dog"], Random(0))
    assert not torch.equal(renamed[0], known["dog"])  # it is drawn by chance, the same for the photo
    torch.testing.assert_close(renamed[0], renamed[3])
    assert "relations" not in maker(Random(0))


def test_a_bunch_fills_up_relations_and_vectors_of_the_smaller_memories(knowing):
    some = sorted(examples(knowing("val")), key=lambda example: len(example["items"]))
    small, large = some[0], some[-1] | {"entities": torch.ones(len(some[-1]["items"]), 2)}
    small = small | {"entities": torch.ones(len(small["items"]), 2)}
    n, most = len(small["items"]), len(large["items"])
    assert n < most
    bunch = Bunches(pad=2).bunch([small, large])
    assert bunch["relations"].shape == (2, most, most)
    assert torch.equal(bunch["relations"][0, :n, :n], small["relations"])
    assert not bunch["relations"][0, n:].any()
    assert bunch["entities"].sum((1, 2)).tolist() == [2 * n, 2 * most]


def test_a_run_learns_facts_and_keeps_what_reads_them(remembering, tmp_path):
    figures = train(remembering(tmp_path, MIXTURE | {"samples": 36}, fusion=LINKED))
    state = json.loads((tmp_path / "output" / "checkpoint-6" / "trainer_state.json").read_text())
    parts = {name for row in state["log_history"] for name in row}
    assert {"facts", "facts_right"} <= parts
    first = next(row["eval_loss"] for row in state["log_history"] if "eval_loss" in row)
    assert figures["eval_loss"] < first
    assert read_model(tmp_path / "output")[0].config.fusion.relations


@pytest.mark.parametrize(
    ("fusion", "knowledge", "message"),
    [
        ({"relations": False}, {}, "knowledge.relations: fusion does not read them; set fusion.relations to true"),
        ({"relations": True}, {"entities": "x"}, "knowledge.entities: fusion does not read them; set fusion.entity"),
    ],
)
def test_what_fusion_does_not_read_is_refused_before_the_run(remembering, tmp_path, fusion, knowledge, message):
    recipe = remembering(tmp_path, MIXTURE, fusion={"heads": 4} | fusion, knowledge=knowledge)
    with pytest.raises(InputError, match=message):
        build_task(read_recipe(recipe))


def test_vectors_of_another_width_and_of_nothing_in_photos_are_refused(remembering, tmp_path, vectors):
    fusion = LINKED | {"entity_width": 5}
    recipe = remembering(tmp_path, MIXTURE, fusion=fusion, knowledge={"entities": str(vectors)})
    with pytest.raises(InputError, match=r"vectors of 4; set fusion\.entity_width to that"):
        build_task(read_recipe(recipe)).examples(None)
    graph = KnowledgeGraph.of_names(("q1",), ("r",), entity_names=(("it",),), relation_names=("r",))
    EntityEmbeddings("distmult", MODELS["distmult"](1, 1, 4), graph).save(tmp_path / "others")
    with pytest.raises(InputError, match="knows no synset of WordNet"):
        vectors_of(tmp_path / "others")


def test_what_a_photo_shows_is_said_once_and_read_again(remembering, tmp_path, deaf):
    recipe = read_recipe(remembering(tmp_path, MIXTURE | {"maps": str(tmp_path / "maps")}, fusion=LINKED, audio=None))
    model, processor = read_model(deaf)
    library = Library(model, recipe.data.root, tmp_path / "maps", ears=False)
    makers = [facts_of(recipe, library, None, model, processor, "val") for _ in range(2)]
    [one], [other] = (maker.looks.values() for maker in makers)
    assert one.said == other.said
    assert len(one.said) == 12
    assert one.fits.shape == (12, len(SYNSETS))
    torch.testing.assert_close(one.fits, other.fits, atol=1e-3, rtol=0)
    assert len([*(tmp_path / "maps").glob("looks_*/val.json")]) == 1


def test_a_photo_is_linked_by_name_or_as_likely_as_its_key_fits(knowing):
    maker = knowing("val")
    [file] = maker.looks
    said, fits = ["a dog runs", *maker.looks[file].said[1:]], torch.zeros(12, len(SYNSETS))
    fits[0, PLACE["cat"]], fits[0, PLACE["horse"]] = 2.0, 1.0
    maker.looks[file] = Looks(said, fits)
    facts = [ThingFact(thing, KIND, f"kind of {thing}") for thing in ("cat", "dog", "horse", "cat")]
    due = torch.tensor([2.0, 0.0, 1.0]).softmax(0).tolist()
    found = maker._linked(maker.photos[0], facts, Random(0))
    assert found == pytest.approx([due[0], 1.0, due[2], due[0]])


def test_kinds_of_questions_are_all_asked(knowing):
    maker = knowing("val")
    asked = {maker.known.ask(photo.facts, Random(f"{n}"), None).kind for n in range(9) for photo in maker.photos}
    assert asked == {KIND, PART, THERE}
