"""pass@k is that of its paper, BLEU that of the CoNaLa baseline."""

import itertools

import pytest
import sacrebleu

from mm_memgpt.evaluation.code import code_scores, code_tokens, pass_at

GOLD = ["os.kill(os.getpid(), signal.SIGUSR1)", "sorted(list1, key=lambda x: x[1])", 'print("a b".splitLines())']
WRITTEN = ["os.kill(os.getpid(), 9)", "sorted(list1, key=lambda y: y[1])", "print('a  b'.splitLines())"]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pass_at_k_is_the_share_of_draws_of_k_with_one_that_passes(k):
    passed = [[True, False, False, True], [False, False, False, False], [True, True, True, True]]
    shares = [
        sum(any(draw) for draw in itertools.combinations(each, k)) / len([*itertools.combinations(each, k)])
        for each in passed
    ]
    assert pass_at(k, passed).value == pytest.approx(sum(shares) / 3)


def test_pass_at_k_needs_k_answers():
    with pytest.raises(ValueError, match="pass@2 needs problems with at least 2 answers each; take a smaller k"):
        pass_at(2, [[True, False], [True]])


def test_quotes_and_humps_are_cut_as_the_baseline_does():
    assert code_tokens("splitLines('a')") == ["split", "Lines", "(", "`", "a", "`", ")"]


def test_bleu_is_the_corpus_bleu_of_those_tokens():
    cut = [[" ".join(code_tokens(code)) for code in each] for each in (WRITTEN, GOLD)]
    by_library = sacrebleu.corpus_bleu(cut[0], [cut[1]], tokenize="none", smooth_method="none").score / 100
    scores = code_scores(WRITTEN, GOLD)
    assert scores["bleu"].value == pytest.approx(by_library)
    assert scores["bleu"].low <= scores["bleu"].value <= scores["bleu"].high
    assert scores["exact_match"].value == 0


def test_the_same_but_for_spaces_is_the_same():
    assert code_scores(["a = 1\n", "b"], ["a  = 1", "c"])["exact_match"].value == 0.5


def test_nothing_written_is_worth_nothing():
    assert code_scores(["", ""], ["a", "b c d e f"])["bleu"].value == 0
