"""A sentence as tokens that can be scored, and which word each token belongs to.

Notable: a word's log-probability is the sum over its tokens, so whatever is measured by token adds up to words; a
model may write no word at all, and then there is nothing to ask.

n rows   t tokens, the one that begins a text included   w words
"""

from typing import NamedTuple

import torch
from torch import Tensor

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import InputError
from mm_memgpt.words import owners


class Written(NamedTuple):
    """A sentence for the model to be asked about."""

    tokens: Tensor
    """(1, t) int64: begins as every text of the model does, and has no end."""
    words: tuple[str, ...]
    """The w words, as whitespace divides them."""
    owner: Tensor
    """(t - 1,) int64: the word of each token but the first."""

    def by_word(self, by_token: Tensor) -> Tensor:
        """Sums (n, t - 1, ...) over the tokens of each word: (n, w, ...)."""
        shape = (len(by_token), len(self.words), *by_token.shape[2:])
        return by_token.new_zeros(shape).index_add(1, self.owner.to(by_token.device), by_token)


def written(model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor, sentence: str) -> Written:
    """The sentence in the model's tokens.

    Raises:
        InputError: it has more tokens than the model can hold.
    """
    ids = processor.tokenizer(sentence, add_special_tokens=False)["input_ids"]
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if room is not None and len(ids) + 1 > room:
        raise InputError(f"sentence of {len(ids)} tokens is too long for the {room} the model can hold; shorten it")
    words, owner = owners(processor.tokenizer, ids)
    tokens = torch.cat([model.begin(1), torch.tensor([ids], device=model.device)], dim=1)
    return Written(tokens, tuple(words), torch.tensor(owner, dtype=torch.long))


def logprobs(model: MMMemGPTForConditionalGeneration, pixel_values: Tensor, text: Written, batch: int = 64) -> Tensor:
    """Log-probability of each word of the text from each of n photos (n, 3, h, w) alone, nats: (n, w)."""
    target, scores = text.tokens[:, 1:, None], []
    for pixels in pixel_values.split(batch):
        # channels last: 0.37 instead of 0.50 core-seconds for 64 photos in nano's trunk
        pixels = pixels.to(model.device, model.dtype, memory_format=torch.channels_last)
        memory, mask = model.read(model.perceive(pixels))
        logits = model.teacher_forced(text.tokens.expand(len(pixels), -1), memory, mask)
        chosen = logits.float().log_softmax(-1).gather(-1, target.expand(len(pixels), -1, -1))
        scores.append(chosen.squeeze(-1))
    return text.by_word(torch.cat(scores)).cpu()
