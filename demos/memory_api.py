"""A bounded memory in a PyTorch program of your own: ten thousand items go into sixteen slots, and the rare ones stay.

Nearly all items are of three kinds; eight came once. Those of one kind share a slot, the rare keep theirs.

python demos/memory_api.py
"""

import torch
from torch.nn.functional import normalize

from mm_memgpt import Features, MemoryBank

SLOTS, RARE, WIDTH, KEY = 16, 8, 6, 24


def stream(items: int, rare_at: list[int]) -> Features:
    """Items of two tokens: three common kinds, and at the places `rare_at` kinds of their own."""
    kind = torch.randint(3, (items,))
    kind[rare_at] = torch.arange(3, 3 + len(rare_at))
    direction = torch.eye(KEY)[kind]  # each kind has its own
    index = torch.arange(items)
    return Features(
        tokens=torch.randn(1, items, 2, WIDTH),
        mask=torch.ones(1, items, 2, dtype=torch.bool),
        key=normalize(direction + 0.05 * torch.randn(items, KEY), dim=-1).unsqueeze(0),
        time=torch.stack([index, index + 1], dim=-1).double().unsqueeze(0),
        modality=torch.zeros(1, items, dtype=torch.long),
        source=index.unsqueeze(0),
    )


def main(items: int = 10_000) -> None:
    """Writes the stream in parts, and says what the slots hold."""
    torch.manual_seed(0)
    rare_at = sorted(torch.randperm(items)[:RARE].tolist())
    bank, features = MemoryBank(slots=SLOTS, ring=2, tokens=2, width=WIDTH, key_width=KEY), stream(items, rare_at)
    state = bank.empty()
    for start in range(0, items, 500):
        state = bank.write(state, Features(*(part[:, start : start + 500] for part in features)))
    print(f"{int(state.items.sum()):,} items in {bank.capacity} slots: {state.items[0].tolist()}")
    kept = sum(number in state.source[0].tolist() for number in rare_at)
    print(f"{kept} of {RARE} items that came only once still have a slot of their own")
    tokens, mask = bank.tokens(state)
    print(f"what a model reads of it: tokens {tuple(tokens.shape)}, mask {tuple(mask.shape)}, however long the stream")


if __name__ == "__main__":
    main()
