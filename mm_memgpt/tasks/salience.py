"""How much a sentence matters to its document: learned from summaries that people have, or without any.

n sentences   w width   l words of the longest   f measures
"""

import torch
from torch import Tensor, nn

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.tasks.gist import BUCKETS, MEASURES, Gist, Read, frequencies, mean_vector, measures


class Learned(nn.Module):
    """A small network over what a sentence says, what its document says, and its measures; each word has a weight,
    which begins at zero, so that some words may count more than others.

    Args:
        width: w, of the sentences' vectors.
        hidden: width of its layer.
    """

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.said, self.whole = nn.LayerNorm(width), nn.LayerNorm(width)
        self.weight = nn.Embedding(BUCKETS, 2)
        nn.init.zeros_(self.weight.weight)
        self.meaning = nn.Linear(3 * width, hidden)
        self.measured = nn.Linear(len(MEASURES) + 2, hidden)
        self.last = nn.Linear(hidden, 1)

    def forward(self, bank: MemoryBank, gist: Gist, read: Read) -> Tensor:
        """(n) the salience of each sentence: the logit of its being in the summary."""
        said, whole = self.said(read.vector.float()), self.whole(mean_vector(gist)).expand_as(read.vector)
        times, real = frequencies(gist, read)
        weight = self.weight(read.words.clamp_min(0)) * real.unsqueeze(-1)  # (n, l, 2)
        counts = real.sum(1).clamp_min(1)
        worth = torch.stack([(weight[..., 0] * times).sum(1), weight[..., 1].sum(1)], -1) / counts.unsqueeze(-1)
        measured = torch.cat([measures(bank, gist, read), worth], -1)
        hidden = self.meaning(torch.cat([said, whole, said * whole], -1)) + self.measured(measured)
        return self.last(nn.functional.gelu(hidden)).squeeze(-1)


class Central(nn.Module):
    """Without anything learned: a sentence matters that is like the others and whose words the document uses often.

    Args:
        counts: measures that count, each as its deviation from the mean in standard deviations.
    """

    def __init__(self, counts: tuple[str, ...] = ("central", "frequency")) -> None:
        super().__init__()
        self.places = [MEASURES.index(name) for name in counts]

    def forward(self, bank: MemoryBank, gist: Gist, read: Read) -> Tensor:
        """(n) the salience of each sentence."""
        found = measures(bank, gist, read)[:, self.places]
        return ((found - found.mean(0)) / found.std(0, correction=0).clamp_min(1e-6)).sum(-1)
