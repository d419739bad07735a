"""A written sentence names the sentences without which it would have been less likely."""

from types import SimpleNamespace

import pytest
import torch

from mm_memgpt.datasets.document import placed
from mm_memgpt.tasks.prompt import Prompt
from mm_memgpt.tasks.tracing import SOURCES, candidates, near_duplicates, trace
from mm_memgpt.training.tokenizer import train_on
from mm_memgpt.words import owners, words

DOCUMENT = "A dog runs home. Rain falls at night. Music plays in the street. The choir sings at noon."


class Copier:
    """Finds the words of its prompt likely, and others not: what a model that copies comes to."""

    def __init__(self, heeds: float = 3.0) -> None:
        self.heeds = heeds
        self.tokenizer = train_on([DOCUMENT, "Dogs run and rain falls."], vocab=300)
        self.processor = SimpleNamespace(written=self._written)
        self.scored = 0

    def _written(self, text, prompt):
        return [*self.tokenizer(text, add_special_tokens=False)["input_ids"], self.tokenizer.eos_token_id]

    def score(self, prompts, texts):
        self.scored += len(prompts)
        return [self._likely(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def _likely(self, prompt, text):
        tokens, there = self._written(text, prompt)[:-1], {*words(prompt.text)}
        said, owner = owners(self.tokenizer, tokens)
        likely = [-1.0 if {*words(said[word])} <= there else -1.0 - self.heeds for word in owner]
        return torch.tensor([*likely, -1.0])


def sources(model, text, document=DOCUMENT):
    found = trace(model, lambda said: Prompt(" ".join(said)), placed(document), text)
    return [[source.number for source in sentence.sources] for sentence in found.sentences]


def test_each_sentence_names_its_own_source():
    model = Copier()
    assert sources(model, "Music plays. A dog runs.") == [[3], [1]]
    assert model.scored == 5


def test_where_the_document_changes_nothing_shared_words_decide_and_without_them_there_is_no_source():
    assert sources(Copier(heeds=0.0), "The choir sings. Elephants fly.") == [[4], []]


def test_of_two_that_say_the_same_leaving_one_out_is_leaving_both_out():
    document = f"{DOCUMENT} Rain falls at night!"
    assert near_duplicates(placed(document), range(5)) == [[0], [1, 4], [2], [3]]
    assert sources(Copier(), "Rain falls at night.", document) == [[2]]


def test_of_a_long_document_those_are_left_out_that_share_most_words():
    document = placed(" ".join(f"Word{number} is here." for number in range(3 * SOURCES)))
    chosen = candidates(document, "Word77 and word5.")
    assert len(chosen) == SOURCES
    assert {5, 77} < {*chosen}


def test_shares_of_a_sentences_sources_add_up():
    found = trace(
        Copier(), lambda said: Prompt(" ".join(said)), placed(DOCUMENT), "A dog runs and rain falls at night."
    )
    [sentence] = found.sentences
    assert {source.number for source in sentence.sources} >= {1, 2}
    assert sum(source.share for source in sentence.sources) == pytest.approx(1.0)
