"""A summary is made of the sentences that matter, names where they stand, and costs the same memory at any length."""

import pytest
import torch
from torch.nn.functional import normalize

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.datasets.document import placed
from mm_memgpt.datasets.table_given import GivenTable
from mm_memgpt.tasks.base import Example
from mm_memgpt.tasks.extraction import Extractor, choose
from mm_memgpt.tasks.gist import MEASURES, Read, bank_of, counted, measures, nothing, told
from mm_memgpt.tasks.summarization import Summarization, covered
from mm_memgpt.tasks.summary import Length
from mm_memgpt.types import InputError

COLUMNS = {"text": "text", "label": "summary"}
TEXT = "The dog runs. Rain falls on the old house. The dog is a brown dog. It is music. A brown dog runs home."


def read_of(n: int, width: int = 5, key_width: int = 3) -> Read:
    texts = [f"word{number % 4} other{number}" for number in range(n)]
    return Read(torch.randn(n, width), normalize(torch.randn(n, key_width), dim=-1), **counted(texts))


def summarizer(model_of, **options):
    return model_of(Summarization(COLUMNS, (), {"learned": False, "share": 0.5, **options}), over="head")


def test_what_is_gathered_in_pieces_is_what_is_gathered_at_once():
    read, bank = read_of(23), bank_of(5, 3, 8)
    whole, pieces = told(bank, nothing(bank), read), nothing(bank)
    for some in torch.arange(23).split(7):
        pieces = told(bank, pieces, read.taken(some))
    assert torch.allclose(measures(bank, whole, read), measures(bank, pieces, read), atol=1e-5)
    assert (pieces.sentences, pieces.length) == (23, 46)


def test_centrality_is_exact_though_slots_have_merged():
    read, bank = read_of(40), bank_of(5, 3, 6)
    found = measures(bank, told(bank, nothing(bank), read), read)[:, MEASURES.index("central")]
    assert torch.allclose(found, (read.key @ read.key.T).mean(1), atol=1e-5)


def test_a_word_that_comes_often_speaks_for_its_sentence():
    bank = bank_of(5, 3, 8)
    texts = ["whale ship", "whale sea", "whale boat", "pepper salt"]
    read = Read(torch.randn(4, 5), normalize(torch.randn(4, 3), dim=-1), **counted(texts))
    found = measures(bank, told(bank, nothing(bank), read), read)[:, MEASURES.index("frequency")]
    assert found.argmin() == 3


@pytest.mark.parametrize(
    ("sentences", "words", "chosen"),
    [(2, float("inf"), [1, 3]), (float("inf"), 4, [1, 3]), (float("inf"), 1, [1]), (float("inf"), 99, [1, 3, 0, 2])],
)
def test_a_summary_is_as_long_as_it_was_asked_to_be(sentences, words, chosen):
    read = read_of(4)
    assert choose(torch.tensor([0.2, 0.9, 0.1, 0.5]), read, sentences, words) == chosen


def test_what_was_said_already_comes_later():
    read = read_of(3)._replace(key=torch.tensor([[1.0, 0, 0], [1.0, 0, 0], [0, 1.0, 0]]))
    salience = torch.tensor([0.9, 0.8, 0.1])
    assert choose(salience, read, 2, float("inf")) == [0, 1]
    assert choose(salience, read, 2, float("inf"), redundancy=3.0) == [0, 2]


def test_sentences_name_where_they_stand(model_of):
    found = Extractor(summarizer(model_of))(placed(TEXT), Length(sentences=2))
    assert len(found.sentences) == 2
    for sentence in found.sentences:
        [source] = sentence.sources
        assert TEXT[source.start : source.end] == sentence.text == source.text
        assert source.place == f"sentence {source.number}, line 1, characters {source.start}-{source.end}"
    assert (found.of_sentences, found.of_words) == (5, 23)


def test_a_document_beyond_the_candidates_is_told_of_as_a_whole(model_of):
    text = " ".join(f"Rain falls, number {number}." for number in range(150)) + " " + TEXT
    extract = Extractor(summarizer(model_of), candidates=8)
    found = extract(placed(text), Length(share=1.0))
    assert (len(found.sentences), found.of_sentences, found.bounded) == (8, 155, True)
    assert not extract(placed(TEXT), Length(share=1.0)).bounded
    numbers = [sentence.sources[0].number for sentence in found.sentences]
    assert numbers == sorted(numbers)


def test_a_text_without_a_sentence_is_refused(model_of):
    with pytest.raises(InputError, match=r"notes\.txt: holds no sentence; give a text with words in it"):
        Extractor(summarizer(model_of))([], Length(sentences=1), "notes.txt")
    with pytest.raises(InputError, match="a summary's length is one of sentences, words and share"):
        Length(sentences=1, words=2)


def test_what_matters_is_learned_from_summaries_that_people_have(model_of, overfitted):
    subjects = ("dog", "rain", "music", "house")
    examples = []
    for number in range(8):
        said = [f"The {subject} is here." for subject in subjects]
        said.insert(number % 4, f"See the old choir of {subjects[number % 4]}.")
        text = " ".join(said)
        examples.append(Example(Inputs(text), said[number % 4], f"row {number}"))
    model = model_of(Summarization(COLUMNS, (), {"share": 0.3, "hidden": 8}), over="head")
    assert overfitted(model.train(), examples, steps=40, rate=1e-2) < 0.1
    predictions = model.task.predict(model.eval(), examples)
    assert [each.value for each in predictions] == [example.target for example in examples]
    assert model.task.score(predictions, examples).values["rouge_2"].value == 1.0
    assert predictions[0].details["sentences"][0]["sources"][0]["sentence"] == 1


def test_the_share_is_that_of_the_training_rows():
    rows = [{"text": "one two three four", "summary": "one two"}, {"text": "a b c d e", "summary": "a b c d e"}]
    table = GivenTable([*rows, rows[0]], list(COLUMNS.values()), ["1", "2", "3"])
    assert Summarization.learn(COLUMNS, table).options["share"] == 0.5
    assert Summarization.learn(COLUMNS, table, {"share": 0.3}).options["share"] == 0.3


def test_a_sentence_is_right_as_far_as_its_pairs_of_words_are_in_the_summary():
    assert covered("The dog runs home", "A man sees how the dog runs.") == pytest.approx(2 / 3)
    assert (covered("Yes.", "yes it is"), covered("No.", "yes it is")) == (1.0, 0.0)
