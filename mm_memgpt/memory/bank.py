"""Working memory: a bounded set of slots that the model reads and writes with gradients.

Notable: state goes in and comes out, nothing is kept on the module; the newest items stay as they are, and when the
pool behind them is full, the two most similar slots of one modality merge, wherever in time they are, so what comes
often shares a slot and what came once keeps its own.

b batch   n items   p tokens per item   s slots   r ring   d width   k key width
"""

import os

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import normalize

from mm_memgpt.memory.fold import choose, fold
from mm_memgpt.memory.geometry import SUM_DTYPES, Geometry
from mm_memgpt.memory.snapshot import read_snapshot, write_snapshot
from mm_memgpt.types import MIXED_SOURCE, Features, MemoryState


class MemoryBank(nn.Module):
    """The rules of a bounded memory: its sizes, and how items are written into a state and read out of it.

    Args:
        slots: s, how many slots there are, the ring included.
        ring: r, how many of the newest items stay as they are, in slots 0 to r - 1.
        tokens: p, positions of an item.
        width: d, numbers in a token.
        key_width: k, numbers in a key.

    Raises:
        ValueError: a size below 1, or a pool (the slots behind the ring) smaller than the number of modalities. One
            more item than modalities always holds two of one modality, so with such a pool something can merge.
    """

    def __init__(self, *, slots: int, ring: int, tokens: int, width: int, key_width: int) -> None:
        super().__init__()
        self.geometry = Geometry(slots=slots, ring=ring, tokens=tokens, width=width, key_width=key_width)

    @property
    def capacity(self) -> int:
        """How many slots there are, the ring included."""
        return self.geometry.slots

    def extra_repr(self) -> str:
        """The sizes, for print(model)."""
        return str(self.geometry)

    def empty(
        self, batch: int = 1, *, device: torch.device | str | None = None, dtype: torch.dtype = torch.float32
    ) -> MemoryState:
        """A state that holds nothing. `dtype` is that of the sums.

        Each tensor is one number seen in every place, so that an empty memory costs nothing, however large; nothing
        may write into it, as into no state.

        Raises:
            ValueError: a batch below 1, or a dtype other than float32 and float64.
        """
        if batch < 1:
            raise ValueError(f"batch {batch} must be at least 1; try batch=1")
        if dtype not in SUM_DTYPES:
            raise ValueError(f"sums cannot be kept in {dtype}, which loses what it adds; try dtype=torch.float32")
        begins = {"modality": -1, "source": MIXED_SOURCE, "arrival": -1, "similarity": -torch.inf}
        fields = {}
        for name, (shape, dtypes) in self.geometry.state_layout(batch).items():
            kept = dtype if dtype in dtypes else dtypes[0]
            fields[name] = torch.full((), begins.get(name, 0), dtype=kept, device=device).expand(shape)
        return MemoryState(**fields)

    def write(self, state: MemoryState, features: Features) -> MemoryState:
        """Writes the items in order: `Memory_Output = f(Memory_Input, Memory_State)`.

        An item takes the place of the oldest in the ring, which moves to the pool. Where the pool is full, the most
        similar pair of one modality in it, the newcomer included, merges first: sums, counts, keys and items add,
        time spans join, the source stays where it is one. Whole items merge, so a slot stays a moment. Padding (items
        whose mask is all False) is skipped, in each row of the batch by itself. Ties go to the lowest index.

        Gradients reach tokens and keys of the items and of the state; what merges is chosen without gradients. An
        item costs O(s·k), and one look through the s·s similarities; the tokens move once a write. On a GPU a write
        waits for the device, to check values and to count what is real.

        Raises:
            ValueError: shapes, dtypes or devices that do not fit the bank or the state, or a real item with NaN or
                infinity, a time that ends before it starts, or a modality or source that does not exist.
        """
        self.geometry.check_state(state)
        self.geometry.check_features(features, state)
        real = features.mask.any(-1)
        return fold(state, features, real, choose(state, features, real, self.geometry.ring))

    def tokens(self, state: MemoryState) -> tuple[Tensor, Tensor]:
        """The mean token of each position (b, s*p, d), 0 where there is none, and the mask (b, s*p), True = real."""
        mean = state.sums / state.count.clamp_min(1).unsqueeze(-1)
        return rearrange(mean, "b s p d -> b (s p) d"), rearrange(state.count > 0, "b s p -> b (s p)")

    def keys(self, state: MemoryState) -> Tensor:
        """The key of each slot (b, s, k), of unit length; zeros for an empty slot."""
        return normalize(state.key_sums, dim=-1)

    def detach(self, state: MemoryState) -> MemoryState:
        """The same state, through which no gradient flows further back."""
        return MemoryState(*(tensor.detach() for tensor in state))

    def save(self, state: MemoryState, path: str | os.PathLike) -> None:
        """Writes a state to a safetensors file, whole or not at all.

        Raises:
            ValueError: the state does not fit this bank.
            InputError: the file cannot be written.
        """
        self.geometry.check_state(state)
        write_snapshot(path, state, self.geometry)

    def load(self, path: str | os.PathLike, *, device: torch.device | str = "cpu") -> MemoryState:
        """The state that `save` wrote, to the bit.

        Raises:
            InputError: one line that names the file, what is wrong with it, and the way out.
        """
        return MemoryState(*(tensor.to(device) for tensor in read_snapshot(path, self.geometry)))
