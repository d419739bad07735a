"""What becomes items of the bank when a segment has been read.

Notable: the decoder itself says what is worth keeping: the words it expected least, which in a novel are names and what
the story is about; each is written as its state just before that word came and the word itself, so that later, in a
state like it, the word is found (arXiv:1612.04426, there a cache that stands beside the model). The choice has no
gradient, what is written has.

b batch   t tokens   n items   p tokens per item   d decoder width   k key width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.encoders.text import TextEncoder
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.types import MODALITIES, Features


class DecoderWriter(nn.Module):
    """The words that a decoder expected least, as items of single words or of sentences.

    An item's token (2d) is the norm of the state that predicted the word, then the norm of its embedding; its key is a
    random projection of the embeddings' mean, which keeps cosines, so of all pairs the same word merges first. The
    source of a word is its number in the vocabulary: it is known as long as a slot holds no other word.
    """

    def __init__(self, config: LongTextConfig, width: int) -> None:
        super().__init__()
        self.config = config
        self.state_norm, self.word_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("directions", torch.randn(width, config.key_width, generator=generator) * width**-0.5)

    def forward(self, ids: Tensor, embedded: Tensor, before: Tensor, logits: Tensor, place: Tensor) -> Features:
        """The items of a segment.

        Args:
            ids: (b, t) its tokens.
            embedded: (b, t, d) their embeddings.
            before: (b, t, d) the state that predicted each.
            logits: (b, t, v) what it predicted.
            place: (b, t) number of the sentence of each, in the text.
        """
        surprise = functional.cross_entropy(logits.detach().float().flatten(0, 1), ids.flatten(), reduction="none")
        chosen, real = self._chosen(surprise.view_as(ids), place)
        flat = chosen.flatten(1)  # (b, n*p)
        states, words = (
            part.gather(1, flat.unsqueeze(-1).expand(-1, -1, part.shape[-1])).unflatten(1, chosen.shape[1:])
            for part in (before, embedded)
        )
        words = self.word_norm(words.float())  # (b, n, p, d)
        mean = (words.detach() * real.unsqueeze(-1)).sum(2)
        tokens = torch.cat([self.state_norm(states.float()), words], dim=-1)
        features = _features(tokens, real, functional.normalize(mean @ self.directions, dim=-1), place.gather(1, flat))
        return features._replace(source=ids.gather(1, flat)) if self.config.unit == "word" else features

    @torch.no_grad()
    def _chosen(self, surprise: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
        """Places (b, n, p) of the chosen words in the segment, by place, and which of them are real."""
        config = self.config
        if config.unit == "word":
            chosen = surprise.topk(min(config.items, surprise.shape[1])).indices.sort().values.unsqueeze(-1)
            return chosen, torch.ones_like(chosen, dtype=torch.bool)
        number = (place[:, 1:] != place[:, :-1]).long().cumsum(1)
        number = functional.pad(number, (1, 0)).clamp_max(config.items - 1)  # which sentence of the segment
        sentences = torch.arange(int(number.max()) + 1, device=place.device)
        own = number.unsqueeze(1) == sentences.view(1, -1, 1)  # (b, n, t)
        found = surprise.unsqueeze(1).masked_fill(~own, -1).topk(min(config.tokens, surprise.shape[1]))
        missing = config.tokens - found.indices.shape[-1]
        last = surprise.shape[1]  # what is not real comes last
        order = found.indices.where(found.values >= 0, last).sort().values
        real = functional.pad(order < last, (0, missing))
        return functional.pad(order.clamp_max(last - 1), (0, missing)), real


class EncoderWriter(nn.Module):
    """Sentences by a text encoder, one item each; a sentence that a segment cuts is two items."""

    def __init__(self, config: LongTextConfig, encoder: TextEncoder) -> None:
        super().__init__()
        self.config, self.encoder = config, encoder

    def forward(self, ids: Tensor, embedded: Tensor, before: Tensor, logits: Tensor, place: Tensor) -> Features:
        """The items of a segment; the arguments are those of `DecoderWriter`."""
        number = functional.pad((place[:, 1:] != place[:, :-1]).long().cumsum(1), (1, 0))
        sentences = torch.arange(int(number.max()) + 1, device=ids.device)
        own = number.unsqueeze(1) == sentences.view(1, -1, 1)  # (b, n, t)
        longest = int(own.sum(-1).max())
        order = (~own).to(torch.uint8).argsort(dim=-1, stable=True)[:, :, :longest]  # its tokens first
        real = own.gather(2, order)
        rows = torch.arange(len(ids), device=ids.device).view(-1, 1, 1)
        found = self.encoder(embedded[rows, order], real)
        return _features(found.tokens, found.mask, found.key, place.gather(1, order[:, :, 0]))


def _features(tokens: Tensor, mask: Tensor, key: Tensor, place: Tensor) -> Features:
    """Items with their place in the text; all of a row are of one source."""
    b, n, _ = mask.shape
    place = place.view(b, n, -1)[:, :, 0].double()
    return Features(
        tokens=tokens.float(),
        mask=mask,
        key=key.float(),
        time=torch.stack([place, place], dim=-1),
        modality=torch.full((b, n), MODALITIES.index("text"), device=mask.device),
        source=torch.zeros(b, n, dtype=torch.long, device=mask.device),
    )
