"""Self-critical: sample sentences of a photo, and make those likelier that people's own sentences agree with most.

Notable: a sentence's reward is CIDEr against the photo's sentences, with word weights from all the training photos; its
baseline is the mean reward of the photo's other samples, so nothing is learned where all are equally good; the end of a
sentence counts as a word, or sentences would stop anywhere.

b photos   c samples a photo   t tokens of the longest   m memory tokens
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.words import words

END = "."
"""Stands for the end of a sentence among its words, which have no punctuation of their own."""

SAMPLED_FROM = 20
"""Likeliest tokens a sample is drawn from: label smoothing leaves a tenth of the mass to words that fit nowhere."""


class Frequencies(dict[tuple[str, ...], float]):
    """In how many photos each run of words is found; 0 for one that is in none, which is not remembered."""

    def __missing__(self, run: tuple[str, ...]) -> float:
        return 0.0


class CiderReward:
    """CIDEr of single sentences (arXiv:1411.5726, clipped and with a length penalty, as pycocoevalcap computes it).

    Args:
        photos: the sentences of each training photo; they say how rare a run of words is.

    Raises:
        ImportError: pycocoevalcap is not installed.
    """

    def __init__(self, photos: Iterable[Sequence[str]]) -> None:
        try:
            from pycocoevalcap.cider.cider_scorer import CiderScorer
        except ImportError as error:
            raise ImportError(
                'self-critical training needs pycocoevalcap: pip install "mm-memgpt[evaluate]"'
            ) from error

        class Scorer(CiderScorer):
            """The library's, with word weights from a corpus of its own and not from the sentences being scored."""

            ref_len = property(lambda scorer: scorer.weighed, lambda scorer, log_photos: None)

        corpus = CiderScorer()
        for sentences in photos:
            corpus += (None, [self.cut(sentence) for sentence in sentences])
        corpus.compute_doc_freq()
        self.scorer, self.frequency, self.photos = Scorer, Frequencies(corpus.document_frequency), len(corpus.crefs)

    @staticmethod
    def cut(sentence: str) -> str:
        """The sentence's words and its end, with spaces between."""
        return " ".join([*words(sentence), END])

    def __call__(self, written: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """The reward of each sentence against the sentences of its photo."""
        scorer = self.scorer()
        scorer.weighed = math.log(self.photos)
        scorer.document_frequency = self.frequency
        for sentence, sentences in zip(written, references, strict=True):
            scorer += (self.cut(sentence), [self.cut(other) for other in sentences])
        return [float(score) for score in scorer.compute_cider()]


def self_critical_loss(logprobs: Tensor, mask: Tensor, rewards: Tensor) -> Tensor:
    """-mean over tokens of (r - baseline) log p (arXiv:1612.00563 eq. 7), the baseline being the other samples' mean.

    Args:
        logprobs: (b * c, t) of the sampled tokens, the c samples of a photo one after the other.
        mask: (b * c, t) True where a token belongs to the sentence, its end included.
        rewards: (b, c).

    Raises:
        ValueError: fewer than two samples a photo.
    """
    c = rewards.shape[1]
    if c < 2:
        raise ValueError("self-critical training needs at least 2 samples a photo; set captions=5")
    advantage = rewards - (rewards.sum(1, keepdim=True) - rewards) / (c - 1)  # (b, c)
    return -(advantage.flatten().unsqueeze(1) * logprobs * mask).sum() / mask.sum()


class SelfCritical:
    """The loss of a model on a batch of photos and their sentences; in validation, minus the reward of greedy captions.

    Args:
        tokenizer: turns token numbers into sentences.
        reward: as `CiderReward`.
        samples: c, sentences sampled a photo.
        length: most tokens of a sampled sentence.
    """

    def __init__(self, tokenizer: object, reward: CiderReward, samples: int, length: int) -> None:
        self.tokenizer, self.reward, self.samples, self.length = tokenizer, reward, samples, length

    def __call__(self, model: nn.Module, batch: dict) -> dict[str, Tensor]:
        references = batch["references"]
        memory, mask = model.read(model.perceive(batch["pixel_values"]))
        if not model.training:
            greedy = self.write(model, memory, mask, num_beams=1, do_sample=False)
            return {"loss": -torch.tensor(self.reward(self.read(greedy), references)).mean()}
        how = {"do_sample": True, "top_k": SAMPLED_FROM, "num_return_sequences": self.samples}
        sampled = self.write(model, memory, mask, **how)
        repeated = [sentences for sentences in references for _ in range(self.samples)]
        rewards = torch.tensor(self.reward(self.read(sampled), repeated), device=memory.device).view(-1, self.samples)
        real = self.until_the_end(sampled)
        logits = model.teacher_forced(sampled, memory, mask)
        chosen = -functional.cross_entropy(logits.float().transpose(1, 2), sampled[:, 1:], reduction="none")
        return {"loss": self_critical_loss(chosen, real, rewards), "reward": rewards.mean()}

    @torch.no_grad()
    def write(self, model: nn.Module, memory: Tensor, mask: Tensor, **how: object) -> Tensor:
        """Sentences of the memories, as token numbers behind the first (b * c, 1 + t); without dropout."""
        training = model.training
        model.eval()
        try:
            begin = model.begin(len(memory))
            return model.generate(begin, memory=memory, memory_mask=mask, max_new_tokens=self.length, **how)
        finally:
            model.train(training)

    def until_the_end(self, sequences: Tensor) -> Tensor:
        """(b * c, t) True up to the first end of each sentence, that one included."""
        ended = (sequences[:, 1:] == self.tokenizer.eos_token_id).long().cumsum(1)
        return (ended == 0) | ((ended == 1) & (sequences[:, 1:] == self.tokenizer.eos_token_id))

    def read(self, sequences: Tensor) -> list[str]:
        """The sentences of token numbers, up to each one's end."""
        return self.tokenizer.batch_decode(sequences, skip_special_tokens=True)
