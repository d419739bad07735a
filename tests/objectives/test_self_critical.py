"""Self-critical training: the reward is the metric's, the loss raises what did better than its siblings."""

from types import SimpleNamespace

import pytest
import torch
from pycocoevalcap.cider.cider import Cider

from mm_memgpt.models.loading import read_model
from mm_memgpt.objectives.self_critical import CiderReward, SelfCritical, self_critical_loss

PHOTOS = [
    ["A brown dog runs.", "The dog is running!"],
    ["Two boys play football.", "Boys with a ball."],
    ["A red boat on the water.", "A boat sails."],
]
WRITTEN = ["A dog runs.", "A ball and two boys.", "A man."]


def test_the_reward_is_the_library_s_score_with_the_end_as_a_word():
    cut = CiderReward.cut
    assert cut("A dog's  BALL!") == "a dog's ball ."
    expected = {i: [cut(sentence) for sentence in sentences] for i, sentences in enumerate(PHOTOS)}
    _, due = Cider().compute_score(expected, {i: [cut(sentence)] for i, sentence in enumerate(WRITTEN)})
    assert CiderReward(PHOTOS)(WRITTEN, PHOTOS) == pytest.approx(due.tolist())


def test_word_weights_come_from_training_and_a_score_does_not_depend_on_its_neighbours():
    reward = CiderReward(PHOTOS)
    together = reward(WRITTEN, PHOTOS)
    assert [reward([one], [own])[0] for one, own in zip(WRITTEN, PHOTOS, strict=True)] == pytest.approx(together)
    before = len(reward.frequency)
    reward(["Words that nobody wrote."], PHOTOS[:1])
    assert len(reward.frequency) == before


def test_the_loss_raises_what_did_better_than_the_other_samples():
    logprobs = torch.tensor([[-1.0, -2.0], [-0.5, -3.0], [-1.0, -1.0]], requires_grad=True)
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    loss = self_critical_loss(logprobs, mask, torch.tensor([[0.9, 0.3, 0.0]]))
    advantage = torch.tensor([0.9 - 0.15, 0.3 - 0.45, 0.0 - 0.6])
    due = -(advantage[0] * -3.0 + advantage[1] * -0.5 + advantage[2] * -2.0) / 5
    torch.testing.assert_close(loss, due)
    loss.backward()
    torch.testing.assert_close(logprobs.grad, -advantage.unsqueeze(1) * mask / 5)


def test_equal_rewards_teach_nothing_and_a_lone_sample_is_refused():
    logprobs, mask = torch.randn(4, 3), torch.ones(4, 3, dtype=torch.bool)
    assert self_critical_loss(logprobs, mask, torch.full((2, 2), 0.7)) == 0
    with pytest.raises(ValueError, match="at least 2 samples"):
        self_critical_loss(logprobs, mask, torch.rand(4, 1))


def test_a_sentence_goes_up_to_its_first_end():
    objective = SelfCritical(SimpleNamespace(eos_token_id=1), reward=None, samples=2, length=4)
    sequences = torch.tensor([[0, 5, 1, 1, 2], [0, 5, 6, 7, 8], [0, 1, 5, 1, 2]])
    due = [[True, True, False, False], [True] * 4, [True, False, False, False]]
    assert objective.until_the_end(sequences).tolist() == due


def test_what_is_rewarded_becomes_likelier(tiny_model_folder):
    """Sentences are rewarded for each "o" in them, and a few steps later there are more."""
    model, processor = read_model(tiny_model_folder)
    objective = SelfCritical(
        processor.tokenizer, lambda written, _: [sentence.count("o") / 3 for sentence in written], samples=16, length=6
    )
    batch = {"pixel_values": torch.randn(2, 3, 64, 64), "references": [[], []]}
    optimiser = torch.optim.Adam(model.parameters(), lr=0.03)
    rewards = []
    for _ in range(20):
        outputs = objective(model.train(), batch)
        optimiser.zero_grad()
        outputs["loss"].backward()
        optimiser.step()
        rewards.append(outputs["reward"].item())
    assert sum(rewards[-3:]) > sum(rewards[:3]) + 0.5
    assert objective(model.eval(), batch)["loss"] < 0
