"""What a wording tells is counted in training's questions, and taken off what is learned."""

import math

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from mm_memgpt.datasets.questions import Question
from mm_memgpt.objectives.remembering import of_learned, with_prior
from mm_memgpt.training.bunches import prior_of
from mm_memgpt.training.items import Text, Texts
from mm_memgpt.training.priors import SMOOTHING, Priors


@pytest.fixture(scope="module")
def texts(material) -> Texts:
    return Texts(PreTrainedTokenizerFast.from_pretrained(material / "tokenizer"), begin=0, longest=30)


def question(text: str, answer: str, kind: str = "photo") -> Question:
    return Question(text, answer, kind, (0,))


FIRST, SECOND = "What is in the first photo?", "What is in the second photo?"


def test_an_answer_that_was_never_asked_for_is_unlikely_and_not_impossible(texts):
    asked = [question(FIRST, "boat")] * 6 + [question(FIRST, "dogs")] * 2 + [question(SECOND, "dogs")] * 8
    priors = Priors([*asked, question("Was it heard?", "yes", "ever")], texts)
    found = dict(priors.of(question(SECOND, "boat")))
    boat, dogs = texts.first("boat"), texts.first("dogs")
    assert boat != dogs
    assert found.keys() == {boat, dogs}
    usual = {boat: 6 / 16, dogs: 10 / 16}
    for token, count in ((boat, 0), (dogs, 8)):
        assert found[token] == pytest.approx(math.log((count + SMOOTHING) / (8 * usual[token] + SMOOTHING)))
    unknown = dict(priors.of(question("What is in the ninth photo?", "boat")))
    assert unknown == {boat: 0, dogs: 0}  # of what is not known nothing is taken off
    assert priors.of(question("Was it heard?", "yes", "ever")) == ()  # of which nothing is kept apart


def test_it_is_added_where_the_answer_begins_and_nowhere_else():
    texts = [Text(torch.zeros(5), 3, prior=((2, 1.5), (3, 0.5))), Text(torch.zeros(5), 4), Text(torch.zeros(5), 4)]
    learned = torch.tensor([[False] * 3 + [True] * 2, [False] * 4 + [True], [False] * 4 + [True]])
    logits = torch.randn(3, 5, 6)
    added = with_prior(logits, learned, prior_of(texts)) - logits
    due = torch.zeros(3, 5, 6)
    due[0, 2, 2], due[0, 2, 3] = 1.5, 0.5
    torch.testing.assert_close(added, due)
    assert prior_of(texts[1:]) == {}
    assert of_learned(added, learned)[0].tolist() == [0, 0, 1.5, 0.5, 0, 0]


def test_what_the_wording_explains_is_not_learned():
    """Two answers, of which one wording never has the second; the model sees which it is by a feature."""
    torch.manual_seed(0)
    wording, feature = torch.randint(2, (4000,)), torch.randn(4000)
    answer = ((feature + torch.randn(4000) > 0) & (wording == 0)).long()
    told = torch.tensor([[0.0, 0.0], [0.0, -6.0]])[wording]
    weights = {}
    for name, prior in (("with", told), ("without", torch.zeros(4000, 2))):
        model = torch.nn.Linear(2, 2)
        optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
        for _ in range(200):
            logits = model(torch.stack([feature, wording.float()], 1)) + prior
            loss = torch.nn.functional.cross_entropy(logits, answer)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        weights[name] = (model.weight[1, 1] - model.weight[0, 1]).item()
    assert weights["without"] < -3  # denied, whatever is seen
    assert abs(weights["with"]) < 0.2 * abs(weights["without"])
