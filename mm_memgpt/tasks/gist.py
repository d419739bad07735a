"""What a document speaks of, gathered sentence by sentence in bounded memory, and what that says of a sentence.

Notable: state goes in and comes out, and its size is that of its slots and buckets, however long the document is:
sentences are written into a `MemoryBank`, where what is said often shares a slot, and words are counted by a hash.

n sentences   w width   k key width   l words of the longest   v buckets   s slots   f measures
"""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import MODALITIES, Features, MemoryState
from mm_memgpt.words import words

BUCKETS = 8192
"""Into how many numbers words are hashed."""

SHORTEST = 4
"""Letters of a word that is counted; most shorter ones name nothing."""

NONE = -1
"""The number of no word, where a sentence has fewer than the longest."""

FAR = 100
"""Sentences from the beginning behind which it no longer matters how far."""

MEASURES = ("central", "crowd", "frequency", "frequent", "distance", "place", "first", "length", "share")
"""What `measures` says of a sentence, in order."""


class Read(NamedTuple):
    """Sentences as a backbone read them."""

    vector: Tensor
    """(n, w) what each says."""
    key: Tensor
    """(n, k) unit length: what each is like."""
    words: Tensor
    """(n, l) int64: buckets of its words, NONE where it has no more."""
    length: Tensor
    """(n) int64: its words, those that are not counted too."""
    number: Tensor
    """(n) int64: which sentence of its document, from 0."""

    def taken(self, places: Tensor) -> "Read":
        """Some of the sentences."""
        return Read(*(each[places] for each in self))


class Gist(NamedTuple):
    """What of a document is kept, but for the candidates of its summary."""

    memory: MemoryState
    words: Tensor
    """(v) how often words of each bucket came."""
    sentences: int
    length: int
    """Words."""


def buckets(text: str) -> tuple[list[int], int]:
    """The buckets of a sentence's words, and how many words there are, the short ones too."""
    said = words(text)
    return [zlib.crc32(word.encode()) % BUCKETS for word in said if len(word) >= SHORTEST], len(said)


def counted(texts: Sequence[str], first: int = 0) -> dict[str, Tensor]:
    """The words, lengths and numbers of sentences that follow one another, as `Read` has them."""
    found = [buckets(text) for text in texts]
    numbers = [torch.tensor(some, dtype=torch.long) for some, _ in found]
    return {
        "words": pad_sequence(numbers, batch_first=True, padding_value=NONE),
        "length": torch.tensor([length for _, length in found]),
        "number": torch.arange(first, first + len(texts)),
    }


def bank_of(width: int, key_width: int, slots: int) -> MemoryBank:
    """A bank for sentences."""
    return MemoryBank(slots=slots, ring=max(1, slots // 16), tokens=1, width=width, key_width=key_width)


def nothing(bank: MemoryBank) -> Gist:
    """The gist of nothing read yet."""
    return Gist(bank.empty(), torch.zeros(BUCKETS), 0, 0)


@torch.no_grad()
def told(bank: MemoryBank, gist: Gist, read: Read) -> Gist:
    """The gist with further sentences."""
    n = len(read.vector)
    device = read.vector.device
    time = read.number.double()[None, :, None].expand(1, n, 2)
    features = Features(
        tokens=read.vector.float()[None, :, None],
        mask=torch.ones(1, n, 1, dtype=torch.bool, device=device),
        key=read.key.float()[None],
        time=time,
        modality=torch.full((1, n), MODALITIES.index("text"), device=device),
        source=torch.zeros(1, n, dtype=torch.long, device=device),
    )
    memory = MemoryState(*(tensor.to(device) for tensor in gist.memory))
    seen = torch.bincount(read.words[read.words != NONE], minlength=BUCKETS)
    return Gist(
        bank.write(memory, features),
        gist.words.to(device) + seen,
        gist.sentences + n,
        gist.length + int(read.length.sum()),
    )


def mean_vector(gist: Gist) -> Tensor:
    """(w) the mean of all sentences' vectors, which the bank's sums still hold."""
    return gist.memory.sums.sum((0, 1, 2)) / max(1, gist.sentences)


def measures(bank: MemoryBank, gist: Gist, read: Read) -> Tensor:
    """(n, f) what the document as a whole says of sentences, by MEASURES.

    central is the mean cosine with all sentences, to the bit whatever merged, for sums add; crowd counts those in slots
    that are alike; frequency is how often a word of the sentence comes on average, as a share of a word's in the
    document, and frequent the sum of that over its words, as a share of an average sentence's.
    """
    items = gist.memory.items[0].float()
    mean = gist.memory.key_sums[0].sum(0) / max(1, gist.sentences)
    near = (read.key.float() @ bank.keys(gist.memory)[0].T).clamp_min(0)  # (n, s)
    times, real = frequencies(gist, read)
    frequency = times.sum(1) / real.sum(1).clamp_min(1)
    length = read.length / max(1.0, gist.length / max(1, gist.sentences))
    columns = [
        read.key.float() @ mean,
        (near.square() * items).sum(1) / max(1, gist.sentences),
        frequency,
        frequency * length,
        torch.log1p(read.number.clamp_max(FAR).float()),
        read.number / max(1, gist.sentences),
        (read.number == 0).float(),
        torch.log1p(read.length.float()),
        length,
    ]
    return torch.stack([column.float() for column in columns], -1)


def frequencies(gist: Gist, read: Read) -> tuple[Tensor, Tensor]:
    """How often each word of sentences (n, l) comes, as a share of a word's, and which are real."""
    real = read.words != NONE
    usual = gist.words.square().sum() / gist.words.sum().clamp_min(1)
    return gist.words[read.words.clamp_min(0)] * real / usual.clamp_min(1e-6), real


def likeness(keys: Tensor, others: Tensor) -> Tensor:
    """(n, m) cosines of keys (n, k) and (m, k)."""
    return normalize(keys.float(), dim=-1) @ normalize(others.float(), dim=-1).T
