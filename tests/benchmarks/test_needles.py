"""The benchmark of needles: each stands at its depth, and no way to find it is told more than the question."""

from random import Random

from benchmarks.needles import DEPTHS, OTHER, OWN, by_window, by_words, haystack, haystacks, tables

ESSAYS = ("The first essay says a little. It says it twice.", "Another one says more. It goes on. It ends here.")


def test_needles_stand_at_their_depths_and_the_hay_is_as_long_as_asked():
    hay = haystack(ESSAYS, 400, DEPTHS, Random(0))
    assert [needle.depth for needle in hay.needles] == list(DEPTHS)
    assert all(hay.sentences[needle.place] == needle.sentence for needle in hay.needles)
    assert hay.sentences[0] == hay.needles[0].sentence
    assert hay.sentences[-1] == hay.needles[-1].sentence
    rest = [each for number, each in enumerate(hay.sentences) if number not in {needle.place for needle in hay.needles}]
    assert 340 < sum(len(each) + 1 for each in rest) <= 400


def test_a_long_text_holds_all_needles_and_short_ones_a_few_each():
    assert [len(hay.needles) for hay in haystacks(ESSAYS, 200, 3, Random(1))] == [5, 5, 5]
    (long,) = haystacks(ESSAYS, 50_000, 3, Random(1))
    assert len({needle.questions[0] for needle in long.needles}) == 15


def test_words_find_what_is_asked_in_its_own_words_and_a_window_what_stands_last():
    hay = haystack(ESSAYS, 600, DEPTHS, Random(2))
    assert [own for own, _ in by_words(hay)] == [True] * 5
    assert by_window(hay, lambda text: len(text.split()), 20) == [[False] * 2] * 4 + [[True] * 2]


def test_the_tables_tell_shares_by_length_and_by_depth():
    rows = [
        {"way": "BM25", "characters": size, "depth": depth, OWN: True, OTHER: depth > 0}
        for size in (1000, 20_000)
        for depth in (0.0, 1.0)
    ]
    told = tables(rows)
    assert told[0] == "|  | asked | 1,000 | 20,000 |"
    assert told[2].startswith("| BM25 | in its own words | 1.00 (1.00 to 1.00) | 1.00")
    assert "|  | asked | 0% | 100% |" in told
    assert told[-1] == "| BM25 | in other words | 0.00 (0.00 to 0.00) | 1.00 (1.00 to 1.00) |"
