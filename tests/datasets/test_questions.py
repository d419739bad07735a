"""Every answer is what a plain reading of the scene gives, and the only one; what is kept for the test stays there."""

import re
from collections import Counter
from hashlib import blake2b
from random import Random

import pytest

from mm_memgpt.datasets.questions import KINDS, POSITIONS, Question, ask
from mm_memgpt.datasets.scenes import Scene, make_scene
from mm_memgpt.datasets.templates import NUMBERS, SOUNDS
from mm_memgpt.datasets.things import PEOPLE, SCENERY, THINGS, phrase

MANY = 400
NAMED = {phrase(thing): ("seen", thing) for thing in [*PEOPLE, *THINGS, *SCENERY]} | {
    sound.phrase: ("heard", kind) for kind, sound in SOUNDS.items()
}


@pytest.fixture(scope="module")
def scenes(pools) -> list[Scene]:
    return [make_scene(Random(f"scene {number}"), pools) for number in range(3 * MANY)]


def asked(scenes, kind=None, held_out=None, count=MANY) -> list[tuple[Scene, Question]]:
    """Scenes with a question about each that settles one."""
    pairs = [(each, ask(each, Random(f"question {n}"), held_out, kind)) for n, each in enumerate(scenes[:count])]
    return [(each, question) for each, question in pairs if question is not None]


def read(scene: Scene, text: str) -> set[str]:
    """All answers that a plain reading of the scene allows; naive on purpose."""
    items = scene.items
    photos, sounds = [each for each in items if each.photo], [each for each in items if each.sound]
    digits = [each for each in items if each.digit]

    def position(listed, word):
        return listed[-1] if word == "last" else listed[POSITIONS.index(word)]

    def clear(item, word):
        return {item.photo.facts.who if word == "Who" else item.photo.facts.what}

    def times(named):
        how, name = NAMED[named]
        if how == "heard":
            return [each.start for each in sounds if each.sound.label == name], []
        return (
            [each.start for each in photos if name in each.photo.facts.named],
            [each.start for each in photos if name in each.photo.facts.open],
        )

    if match := re.fullmatch(r"(Who|What) is in the (\w+) photo\?", text):
        return clear(position(photos, match[2]), match[1])
    if match := re.fullmatch(r"(Who|What) was seen when (.+) (?:was|were) heard\?", text):
        starts, _ = times(match[2])
        return set().union(*(clear(each, match[1]) for each in photos if each.start in starts))
    if match := re.fullmatch(r"What was heard when (.+) (?:was|were) seen\?", text):
        _, starts = times(match[1])
        return {SOUNDS[each.sound.label].name for each in sounds if each.start in starts}
    if match := re.fullmatch(r"Which came first, (.+) or (.+)\?", text):
        when = {named: times(named) for named in match.groups()}
        first = min(when, key=lambda named: min(when[named][0]))
        then = next(named for named in when if named != first)
        possible = [start for named in when for start in when[named][1]]
        if when[first][0][0] >= when[then][0][0] or (possible and min(possible) < when[first][0][0]):
            return set()
        if when[then][1] and min(when[then][1]) < when[then][0][0]:
            return set()
        how, name = NAMED[first]
        return {SOUNDS[name].name if how == "heard" else name}
    if match := re.fullmatch(r"(?:Was|Were) (.+) ever (?:seen|heard)\?", text):
        certain, possible = times(match[1])
        return {"yes"} if certain else {"no", *(["yes"] if possible else [])}
    if match := re.fullmatch(r"How many photos showed (.+)\?", text):
        certain, possible = times(match[1])
        return {NUMBERS[len(certain)], NUMBERS[len(possible)]}
    if match := re.fullmatch(r"How many times (?:was|were) (.+) heard\?", text):
        return {NUMBERS[len(times(match[1])[0])]}
    counts = {
        "How many photos were seen?": photos,
        "How many sounds other than digits were heard?": sounds,
        "How many digits were said?": digits,
        "How many notes were read?": [each for each in items if each.note],
    }
    if text in counts:
        return {NUMBERS[len(counts[text])]}
    if match := re.fullmatch(r"Which digit was said( \w+)?\?", text):
        chosen = [position(digits, match[1].strip())] if match[1] else digits
        return {NUMBERS[int(each.digit.label)] for each in chosen}
    return {each.note.value for each in items if each.note and each.note.question == text}


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_is_the_only_one_that_a_plain_reading_gives(kind, scenes):
    pairs = asked(scenes, kind)
    assert len(pairs) > MANY / 5
    for each, question in pairs:
        assert question.kind == kind
        assert read(each, question.text) == {question.answer}
        assert 1 <= len(question.answer.split()) <= 3
        assert question.answer == question.answer.lower()


@pytest.mark.parametrize("kind", ["photo", "seen", "heard", "first", "digit", "note"])
def test_what_settles_a_question_is_named_and_taking_it_away_unsettles_it(kind, scenes):
    for each, question in asked(scenes, kind, count=100):
        assert question.about
        without = [item for place, item in enumerate(each.items) if place not in question.about]
        bare = Scene(
            tuple(item._replace(photo=None, sound=None, digit=None, note=None) for item in without), each.pools
        )
        try:
            assert question.answer not in read(bare, question.text)
        except (IndexError, ValueError):
            continue  # there is no such photo, or nothing came first


def test_training_never_asks_what_is_kept_for_the_test(scenes):
    training = {(q.kind, q.combination) for _, q in asked(scenes, held_out=False, count=2 * MANY)}
    test = {(q.kind, q.combination) for _, q in asked(scenes, held_out=True, count=2 * MANY)}
    assert not training & test
    assert {kind for kind, _ in training} == KINDS.keys()
    assert {kind for kind, _ in test} == KINDS.keys() - {"ever", "count"}


@pytest.mark.parametrize(
    ("kind", "parts"), [("seen", 2), ("heard", 2), ("photo", 2), ("first", 2), ("note", 2), ("digit", 2)]
)
def test_a_fifth_of_all_combinations_is_kept(kind, parts, scenes):
    found = {question.combination: question.held_out for _, question in asked(scenes, kind, count=3 * MANY)}
    assert {len(combination) for combination in found} == {parts}
    assert 0.1 < sum(found.values()) / len(found) < 0.3


def test_a_combination_is_kept_whatever_the_scene(scenes):
    kept = {}
    for _, question in asked(scenes):
        assert kept.setdefault((question.kind, question.combination), question.held_out) == question.held_out


def test_yes_and_no_are_as_often_and_tell_nothing_by_the_thing(scenes):
    by_thing = {}
    for _, question in asked(scenes, "ever", count=3 * MANY):
        by_thing.setdefault(question.text, Counter())[question.answer] += 1
    every = sum(by_thing.values(), Counter())
    assert abs(every["yes"] / every.total() - 0.5) < 0.05
    for text in ("Was a dog ever seen?", "Was a rooster ever heard?", "Was an umbrella ever seen?"):
        assert 0.25 < by_thing[text]["yes"] / by_thing[text].total() < 0.75
    assert not any(phrase(thing) in text for text in by_thing for thing in SCENERY if thing != "hat")


def test_the_first_named_is_the_first_half_the_time(scenes):
    pairs = asked(scenes, "first")
    first = [phrase(q.answer) if q.answer in THINGS | PEOPLE | SCENERY else q.answer for _, q in pairs]
    share = sum(
        f"first, {name}" in q.text or f"first, a {name}" in q.text for name, (_, q) in zip(first, pairs, strict=True)
    )
    assert abs(share / len(pairs) - 0.5) < 0.08


def test_no_answer_is_common(scenes):
    answers = Counter(question.answer for _, question in asked(scenes, held_out=False, count=3 * MANY))
    assert answers.most_common(1)[0][1] / answers.total() < 0.2


def test_a_question_is_the_same_in_every_process(scenes):
    told = "\n".join(f"{q.text} {q.answer} {q.about} {q.held_out}" for _, q in asked(scenes, count=100))
    assert blake2b(told.encode(), digest_size=8).hexdigest() == "a62e5aa223ab2c6f"


def test_a_scene_that_settles_nothing_gives_none_and_an_unknown_kind_is_refused(pools):
    empty = Scene((), pools)
    assert ask(empty, Random(0), kind="photo") is None
    assert ask(empty, Random(0), held_out=True) is None
    with pytest.raises(ValueError, match="'why' is no kind of question; known: photo, seen, heard, first, ever"):
        ask(empty, Random(0), kind="why")
