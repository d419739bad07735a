"""Photos into memory items: an image trunk, its feature map pooled to a grid, a connector, and a retrieval key.

Notable: the trunk comes by name from any of four libraries (`mm_memgpt.encoders.trunk`) and stays that library's own
module; its width is read from a probe; where the map is finer than the grid, a photo's tokens can read all of it
before they leave.

b batch   n photos   h w pixels   c trunk width   p tokens per photo (grid x grid)   d width   k key width
"""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import ImageConfig
from mm_memgpt.encoders.base import PixelStatistics, TrunkOutput
from mm_memgpt.encoders.trunk import (
    adapter,
    create_trunk,
    feature_map,
    load_pretrained,
    map_shape,
    pixel_statistics,
    probe,
    resolve,
    split,
    stage_maps,
)
from mm_memgpt.layers.resampler import Resampler
from mm_memgpt.types import MODALITIES, Features

__all__ = [
    "ImageEncoder",
    "PixelStatistics",
    "create_trunk",
    "feature_map",
    "load_pretrained",
    "map_shape",
    "pixel_statistics",
    "resolve",
    "stage_maps",
]


class ImageEncoder(nn.Module):
    """Photos to Features, one item a photo.

    Args:
        config: trunk, size and grid.
        width: d, width of the tokens.
        key_width: k, width of the retrieval key.
        tokens: tokens that an item is filled up to, masked, so that photos stand beside sounds; None adds none.

    Raises:
        ValueError: the trunk is unknown, its map coarser than the grid, or its shared space absent or of another width.
    """

    def __init__(self, config: ImageConfig, width: int, key_width: int, tokens: int | None = None) -> None:
        super().__init__()
        self.grid = config.grid
        self.room = 0 if tokens is None else max(0, tokens - config.grid**2)
        self.trunk = create_trunk(config)
        library, _ = split(config.trunk)
        self.perceive = adapter(library).perceive
        self.mirrored = config.mirrored
        self.frozen = False
        with torch.no_grad():
            seen = probe(self.trunk, pixel_statistics(config).size, library)
        self.map_shape = channels, rows, columns = tuple(seen.map.shape[1:])
        if config.grid > min(rows, columns):
            raise ValueError(f"grid {config.grid} is finer than the trunk's {rows}x{columns} map; try a larger size")
        self.project = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, width))
        self.position = nn.Parameter(torch.zeros(config.grid**2, width))
        self.resampler = None
        if config.connector == "resampler":
            self.project.extend([nn.GELU(), nn.Linear(width, width)])
            self.resampler = Resampler(width, config.heads)
            self.norm = nn.LayerNorm(width)
        self.key = None if config.key == "trunk" else nn.Linear(channels, key_width, bias=False)
        if self.key is None:
            _check_shared_space(config, seen.embedding, key_width)

    def forward(self, pixel_values: Tensor, source: Tensor | None = None, time: Tensor | None = None) -> Features:
        """One item a photo.

        Args:
            pixel_values: (b, 3, h, w) one photo a row, or (b, n, 3, h, w) n photos a row; normalised.
            source: (b, n) int64 source numbers; photo i of a row is source i where it is None.
            time: (b, n, 2) float64 seconds; second i for photo i where it is None.

        Raises:
            ValueError: pixel_values has neither four nor five axes.
        """
        if pixel_values.ndim == 4:
            pixel_values = pixel_values.unsqueeze(1)
        if pixel_values.ndim != 5:
            raise ValueError(f"pixel_values {tuple(pixel_values.shape)} must be (b, 3, h, w) or (b, n, 3, h, w)")
        seen = self._look(rearrange(pixel_values, "b n c h w -> (b n) c h w"))
        return self._items(seen, pixel_values.shape[1], source, time)

    def from_map(
        self, maps: Tensor, embedding: Tensor | None = None, source: Tensor | None = None, time: Tensor | None = None
    ) -> Features:
        """As `forward`, from what the trunk made of the photos before: it is not run.

        Args:
            maps: (b, n, c, h, w) the trunk's last maps.
            embedding: (b, n, k) places in the space shared with text, where those are the keys.
            source: as in `forward`.
            time: as in `forward`.

        Raises:
            ValueError: maps of another number of axes, or no embedding where that is the key.
        """
        if maps.ndim != 5:
            raise ValueError(f"maps {tuple(maps.shape)} must be (b, n, c, h, w), as the trunk made them")
        if self.key is None and embedding is None:
            raise ValueError("the trunk's own space has this encoder's keys; give embedding beside maps")
        flat = None if embedding is None else embedding.flatten(0, 1)
        return self._items(TrunkOutput(maps.flatten(0, 1), flat), maps.shape[1], source, time)

    def _items(self, seen: TrunkOutput, n: int, source: Tensor | None, time: Tensor | None) -> Features:
        """What the trunk made of b*n photos, as n items a row."""
        full, embedding = seen
        b = len(full) // n
        pooled = functional.adaptive_avg_pool2d(full, self.grid)
        tokens = self.project(rearrange(pooled, "x c h w -> x (h w) c")) + self.position  # (b*n, p, d)
        if self.resampler is not None:
            grid = self.project(rearrange(full, "x c h w -> x (h w) c"))
            tokens = self.norm(self.resampler(tokens, grid))
        key = embedding if self.key is None else self.key(full.mean((2, 3)))
        key = functional.normalize(key.float(), dim=-1)
        order = torch.arange(n, device=tokens.device).expand(b, n)
        if time is None:
            time = torch.stack([order, order], dim=-1).double()
        real = torch.ones(b, n, tokens.shape[1], dtype=torch.bool, device=tokens.device)
        return Features(
            tokens=rearrange(functional.pad(tokens, (0, 0, 0, self.room)), "(b n) p d -> b n p d", b=b),
            mask=functional.pad(real, (0, self.room)),
            key=rearrange(key, "(b n) k -> b n k", b=b).to(tokens.dtype),
            time=time,
            modality=torch.full((b, n), MODALITIES.index("image"), device=tokens.device),
            source=order.clone() if source is None else source,
        )

    def look(self, pixels: Tensor) -> Tensor:
        """The trunk's maps (x, c, h, w) of pixels (x, 3, h, w), each as it is: what `MotionEncoder` reads."""
        return self.perceive(self.trunk, pixels).map

    def _look(self, pixels: Tensor) -> TrunkOutput:
        """Pixels (x, 3, h, w) through the trunk; a mirror image's map is turned back, so that cells lie on cells."""
        if not self.mirrored or self.training:
            return self.perceive(self.trunk, pixels)
        both = self.perceive(self.trunk, torch.cat([pixels, pixels.flip(-1)]))
        plain, turned = both.map.chunk(2)
        embedding = both.embedding
        if embedding is not None:
            embedding = torch.stack(embedding.chunk(2)).mean(0)
        return TrunkOutput((plain + turned.flip(-1)) / 2, embedding)

    def freeze(self) -> "ImageEncoder":
        """Stops training the trunk: no gradients, and its running statistics stay as they are."""
        self.frozen = True
        self.trunk.requires_grad_(False)
        return self.train(self.training)

    def thaw(self) -> "ImageEncoder":
        """Trains the trunk again."""
        self.frozen = False
        self.trunk.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> "ImageEncoder":
        """As nn.Module.train, but a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self


def _check_shared_space(config: ImageConfig, embedding: Tensor | None, key_width: int) -> None:
    if embedding is None:
        raise ValueError(
            f"trunk {config.trunk!r} shares no space with text; set image.key to 'learned', or take a tower that does, "
            "such as open_clip/ViT-B-32"
        )
    if embedding.shape[-1] != key_width:
        raise ValueError(
            f"key_width {key_width} is not the {embedding.shape[-1]} of the space that {config.trunk!r} shares with "
            f"text; set key_width to {embedding.shape[-1]}, or image.key to 'learned'"
        )
