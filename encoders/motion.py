"""Frames that follow each other closely into memory items: lips, hands, whatever is understood by how it moves.

Notable: the image trunk's maps of the frames go through convolutions over time, and each frame is one token of an item
of about two seconds, as each place in time is one of a piece of sound: a minute of close looking is thirty items.

b batch   n items   f frames of an item   c trunk width   h w map cells   d width   k key width   e inner width
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import MotionConfig
from mm_memgpt.types import MODALITIES, Features

REACH = 5
"""Frames that a convolution looks at: 0.4 seconds at 12.5 frames a second, a syllable or two."""


class MotionEncoder(nn.Module):
    """The image trunk's maps of close frames to Features, one item up to `config.frames` of them.

    Args:
        config: frames of an item and sizes.
        shape: (c, h, w) of a frame's map.
        width: d, width of the tokens.
        key_width: k, width of the retrieval key.
        tokens: tokens that an item is filled up to, masked, so that it stands beside photos; None adds none.
    """

    def __init__(
        self,
        config: MotionConfig,
        shape: tuple[int, int, int],
        width: int,
        key_width: int,
        tokens: int | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.room = max(0, (config.frames if tokens is None else tokens) - config.frames)
        channels, rows, columns = shape
        self.cell = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, config.cell))
        self.frame = nn.Linear(rows * columns * config.cell, config.inner)
        self.position = nn.Parameter(torch.zeros(config.frames, config.inner))
        self.layers = nn.ModuleList(TimeLayer(config.inner, config.dropout) for _ in range(config.layers))
        self.project = nn.Sequential(nn.LayerNorm(config.inner), nn.Linear(config.inner, width), nn.LayerNorm(width))
        self.key = nn.Linear(width, key_width, bias=False)

    def forward(
        self, maps: Tensor, mask: Tensor | None = None, source: Tensor | None = None, time: Tensor | None = None
    ) -> Features:
        """One item a stretch of frames.

        Args:
            maps: (b, n, f, c, h, w) the image trunk's maps; f at most `config.frames`.
            mask: (b, n, f) True where a frame is real; all are where it is None.
            source: (b, n) int64 source numbers; 0 where it is None, because the stretches of a row are one clip.
            time: (b, n, 2) float64 seconds; one stretch after another where it is None.

        Raises:
            ValueError: maps of another number of axes, or too many frames.
        """
        if maps.ndim != 6 or maps.shape[2] > self.config.frames:
            raise ValueError(f"maps {tuple(maps.shape)} must be (b, n, f, c, h, w), f at most {self.config.frames}")
        b, n, f = maps.shape[:3]
        if mask is None:
            mask = torch.ones(b, n, f, dtype=torch.bool, device=maps.device)
        if time is None:
            edges = torch.arange(n + 1, device=maps.device, dtype=torch.float64) * self.config.seconds
            time = torch.stack([edges[:-1], edges[1:]], dim=-1).expand(b, n, 2)
        tokens = rearrange(self.along(maps.flatten(0, 1), mask.flatten(0, 1)), "(b n) f d -> b n f d", b=b)
        real = mask.unsqueeze(-1).to(tokens.dtype)
        key = self.key((tokens * real).sum(2) / real.sum(2).clamp_min(1))
        room = self.room + self.config.frames - f
        return Features(
            tokens=functional.pad(tokens * real, (0, 0, 0, room)),
            mask=functional.pad(mask, (0, room)),
            key=functional.normalize(key.float(), dim=-1).to(tokens.dtype),
            time=time,
            modality=torch.full((b, n), MODALITIES.index("image"), device=maps.device),
            source=torch.zeros(b, n, dtype=torch.int64, device=maps.device) if source is None else source,
        )

    def along(self, maps: Tensor, mask: Tensor) -> Tensor:
        """Maps (x, f, c, h, w) of frames, real where `mask` (x, f), to a token each (x, f, d).

        What stands still in a stretch, the mean of its maps, is taken off first: what moves is left.
        """
        real = mask[..., None, None, None].to(maps.dtype)  # (x, f, 1, 1, 1)
        still = (maps * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp_min(1)
        cells = functional.gelu(self.cell(rearrange(maps - still, "x f c h w -> x f (h w) c")))
        x = self.frame(cells.flatten(2)) + self.position[: maps.shape[1]]  # (x, f, e)
        for layer in self.layers:
            x = layer(x, mask)
        return self.project(x)


class TimeLayer(nn.Module):
    """x <- x + W gelu(conv over time of LN x), where frames that are not real count as 0."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, REACH, padding=REACH // 2)
        self.output = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x (b, f, e), mask (b, f)."""
        seen = self.norm(x).masked_fill(~mask.unsqueeze(-1), 0)
        moved = self.conv(rearrange(seen, "b f e -> b e f"))
        return x + self.dropout(self.output(functional.gelu(rearrange(moved, "b e f -> b f e"))))
