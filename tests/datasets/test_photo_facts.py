"""A question about a photo takes a fact to be answered, one fact alone settles it, and what is kept for the test is."""

from random import Random

import pytest

from mm_memgpt.datasets.photo_facts import (
    FEWEST,
    KIND,
    MOST,
    PART,
    SYNSETS,
    THERE,
    Known,
    ThingFact,
    kept_for_test,
    read_known,
    weights_of,
)
from mm_memgpt.datasets.things import PEOPLE, THINGS, facts
from mm_memgpt.types import InputError

NAMES = [f"name {number}" for number in range(40)]
KINDS = [ThingFact(thing, KIND, f"kind of {thing}") for thing in SYNSETS]
PARTS = [ThingFact(thing, PART, f"part of {thing}") for thing in SYNSETS]


@pytest.fixture(scope="module")
def known() -> Known:
    return Known([*KINDS, *PARTS], NAMES)


@pytest.fixture(scope="module")
def photo():
    return facts(["A dog on a bench .", "Two dogs by a bench .", "A puppy and a bench ."])


def asked(known, photo, count=300, **how):
    questions = (known.ask(photo, Random(f"{number}"), **how) for number in range(count))
    return [question for question in questions if question is not None]


def test_every_thing_is_one_that_photos_show_and_no_two_are_one_synset():
    assert SYNSETS.keys() <= PEOPLE.keys() | THINGS.keys()
    assert len(set(SYNSETS.values())) == len(SYNSETS)


def test_one_fact_settles_a_question_and_the_others_are_of_what_is_not_there(known, photo):
    questions = asked(known, photo, new=None)
    assert {question.kind for question in questions} == {KIND, PART, THERE}
    for question in questions:
        assert FEWEST <= len(question.facts) <= MOST
        assert len({fact.tail for fact in question.facts}) == len(question.facts)
        settles = question.facts[question.about]
        if question.kind == THERE:
            assert question.text == f"Does the photo show a kind of {settles.tail}?"
            assert question.answer == ("yes" if settles.thing in photo.named else "no")
            continue
        assert question.answer == settles.tail
        fitting = [fact for fact in question.facts if fact.relation == question.kind and fact.thing in photo.open]
        assert fitting == [settles]
        assert len(question.options) >= FEWEST  # neither the relation nor the photo alone tells


def test_yes_is_about_as_often_right_as_no(known, photo):
    answers = [question.answer for question in asked(known, photo, 900, new=None) if question.kind == THERE]
    assert 0.35 < answers.count("yes") / len(answers) < 0.65


def test_what_two_things_are_a_kind_of_is_not_denied_where_either_may_be_there(photo):
    alike = [fact._replace(tail="animal") if fact.thing in ("dog", "horse", "cat") else fact for fact in KINDS]
    known = Known([*alike, *PARTS], NAMES)
    denied = [each for each in asked(known, photo, 900, new=None) if each.answer == "no"]
    assert denied
    assert not any("animal" in question.text for question in denied)


def test_training_has_no_fact_of_what_is_kept_for_the_test(known, photo):
    kept = {thing for thing in SYNSETS if kept_for_test(thing)}
    assert 0.15 < len(kept) / len(SYNSETS) < 0.25
    assert not kept & {fact.thing for question in asked(known, photo) for fact in question.facts}
    several = facts(["A dog near a bird .", "A bird and a dog ."])
    new = asked(known, several, new=True)
    assert {question.facts[question.about].thing for question in new if question.answer != "no"} <= kept
    assert all(question.new for question in new)


def test_made_up_facts_lead_to_names_drawn_from_all_and_are_answered_as_they_stand(known, photo):
    for question in asked(known, photo, 50, made_up=1.0):
        assert all(fact.tail in NAMES for fact in question.facts)
        if question.kind != THERE:
            assert question.answer == question.facts[question.about].tail


def test_renamed_things_keep_their_facts_and_one_name_each(known, photo):
    for question in asked(known, photo, 50, renamed=1.0, new=None):
        assert all(name in NAMES for name in question.called)
        pairs = set(zip([fact.thing for fact in question.facts], question.called, strict=True))
        assert len(pairs) == len({thing for thing, _ in pairs}) == len({name for _, name in pairs})
        assert question.answer in ("yes", "no", question.facts[question.about].tail)


def test_what_is_asked_for_may_be_given(known, photo):
    assert {q.facts[q.about].thing for q in asked(known, photo, thing="bench") if q.answer != "no"} == {"bench"}
    assert asked(known, photo, thing="cat") == []


def test_a_thing_stands_beside_others_as_often_as_it_is_asked_for():
    photos = [facts([f"A {thing} ."] * 2) for thing in ["dog"] * 16 + ["train"] * 4 + ["guitar"]]
    assert weights_of(photos, 1.0) == pytest.approx({"dog": 16 / 5, "train": 4 / 17, "guitar": 1 / 20})
    assert weights_of(photos, 0.5)["dog"] == pytest.approx(4 / 5)
    weighted = Known([*KINDS, *PARTS], NAMES, dict.fromkeys(SYNSETS, 1.0) | {"dog": 40.0})
    beside = [{fact.thing for fact in question.facts} for question in asked(weighted, photos[-1], 200)]
    assert sum("dog" in things for things in beside) > 3 * sum("train" in things for things in beside) > 0


def test_a_photo_of_nothing_known_settles_nothing(known):
    assert known.ask(facts(["It rains .", "Rain falls ."]), Random(0), new=None) is None


def test_too_few_facts_are_refused():
    with pytest.raises(InputError, match="7 things with a fact of 'hypernym', and 8 are needed"):
        Known([*KINDS[:7], *PARTS], NAMES)


@pytest.mark.data
def test_wordnet_knows_most_things(data_folder):
    known = read_known(data_folder / "knowledge")
    assert ThingFact("dog", KIND, "canine") in known.facts
    assert len({fact.thing for fact in known.facts}) > 50
    assert len(known.names) > 10_000
