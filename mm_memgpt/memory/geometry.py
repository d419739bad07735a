"""The sizes of a bank, and the checks that a state and features fit them.

Notable: every check of a value is one tensor, and together they make the device answer once.

b batch   n items   p tokens per item   s slots   r ring   d width   k key width
"""

from dataclasses import dataclass, fields

import torch

from mm_memgpt.types import MODALITIES, Features, MemoryState

SUM_DTYPES = (torch.float32, torch.float64)
"""What sums may be kept in: float32 to train, float64 for a memory that lasts. Half precision loses what it adds."""

FLOAT_DTYPES = (*SUM_DTYPES, torch.float16, torch.bfloat16)
INTEGER = (torch.int64,)
SECONDS = (torch.float64,)

Layout = dict[str, tuple[tuple[int, ...], tuple[torch.dtype, ...]]]
"""Shape and possible dtypes of each tensor."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The sizes of a bank."""

    slots: int
    """s: how many slots there are, the ring included."""
    ring: int
    """r: how many of the newest items stay as they are."""
    tokens: int
    """p: positions of an item."""
    width: int
    """d: numbers in a token."""
    key_width: int
    """k: numbers in a key."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if (size := getattr(self, field.name)) < 1:
                raise ValueError(f"{field.name} {size} must be at least 1; try {field.name}=8")
        if self.slots - self.ring < len(MODALITIES):
            raise ValueError(
                f"slots {self.slots} less ring {self.ring} leave a pool of {self.slots - self.ring}, less than one "
                f"slot for each of {len(MODALITIES)} modalities; try slots={self.ring + len(MODALITIES)}"
            )

    def __str__(self) -> str:
        return ", ".join(f"{field.name}={getattr(self, field.name)}" for field in fields(self))

    def state_layout(self, batch: int) -> Layout:
        """What a MemoryState of this bank looks like."""
        return {
            "sums": ((batch, self.slots, self.tokens, self.width), SUM_DTYPES),
            "count": ((batch, self.slots, self.tokens), INTEGER),
            "key_sums": ((batch, self.slots, self.key_width), SUM_DTYPES),
            "items": ((batch, self.slots), INTEGER),
            "time": ((batch, self.slots, 2), SECONDS),
            "modality": ((batch, self.slots), INTEGER),
            "source": ((batch, self.slots), INTEGER),
            "arrival": ((batch, self.slots), INTEGER),
            "similarity": ((batch, self.slots, self.slots), SUM_DTYPES),
        }

    def check_state(self, state: MemoryState) -> None:
        """Raises ValueError where a tensor's shape, dtype or device is not that of a state of this bank."""
        batch = state.items.shape[0] if state.items.dim() else 1
        _check_tensors(state, self.state_layout(batch), state.sums.device)
        for name in ("key_sums", "similarity"):
            if (dtype := getattr(state, name).dtype) != state.sums.dtype:
                raise ValueError(f"{name} is {dtype} and sums {state.sums.dtype}; make both of one dtype")

    def check_features(self, features: Features, state: MemoryState) -> None:
        """Raises ValueError where features do not fit this bank or the state, or hold impossible values."""
        batch = len(state.items)
        items = features.tokens.shape[1] if features.tokens.dim() > 1 else 1
        layout = {
            "tokens": ((batch, items, self.tokens, self.width), FLOAT_DTYPES),
            "mask": ((batch, items, self.tokens), (torch.bool,)),
            "key": ((batch, items, self.key_width), FLOAT_DTYPES),
            "time": ((batch, items, 2), SECONDS),
            "modality": ((batch, items), INTEGER),
            "source": ((batch, items), INTEGER),
        }
        _check_tensors(features, layout, state.sums.device)
        _check_values(features)


def _check_tensors(given: MemoryState | Features, layout: Layout, device: torch.device) -> None:
    kind = "memory" if isinstance(given, MemoryState) else "features"
    for name, (shape, dtypes) in layout.items():
        tensor = getattr(given, name)
        if tuple(tensor.shape) != shape:
            raise ValueError(
                f"{name} of {kind} has shape {tuple(tensor.shape)}, where {shape} is due; "
                "build the bank with the sizes of what is written, and pad items to one number of tokens"
            )
        if tensor.dtype not in dtypes:
            due = " or ".join(str(dtype) for dtype in dtypes)
            raise ValueError(f"{name} of {kind} is {tensor.dtype}, where {due} is due; convert it with .to(...)")
        if tensor.device != device:
            raise ValueError(f"{name} of {kind} is on {tensor.device}, sums on {device}; move both to one device")


def _check_values(features: Features) -> None:
    """Looks at real items only: padding may hold anything."""
    start, end = features.time.unbind(-1)
    finite = features.tokens.isfinite().all(-1) | ~features.mask  # (b, n, p)
    known = (features.modality >= 0) & (features.modality < len(MODALITIES))
    faults = {
        "holds NaN or infinity in its tokens or key; look at what the encoder was given": ~(
            finite.all(-1) & features.key.isfinite().all(-1)
        ),
        "spans {start} s to {end} s; give finite seconds, the start first": ~(
            (start <= end) & start.isfinite() & end.isfinite()
        ),
        f"has modality {{modality}}; give an index into {MODALITIES}": ~known,
        "has source {source}; give an integer of at least 0": features.source < 0,
    }
    faulty = torch.stack(list(faults.values())) & features.mask.any(-1)  # (faults, b, n)
    if not faulty.any():
        return
    fault, row, item = faulty.nonzero()[0].tolist()
    values = {"start": start, "end": end, "modality": features.modality, "source": features.source}
    values = {name: value[row, item].item() for name, value in values.items()}
    raise ValueError(f"item {item} of row {row} " + list(faults)[fault].format(**values))
