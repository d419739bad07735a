"""Photos into memory items: a timm trunk, its feature map pooled to a grid, a resampler, and a retrieval key.

Notable: the trunk's mean, standard deviation and size come with it; its width is read from a probe forward, because
timm's pooled width can differ from `num_features`; a photo's grid tokens read the full map before they leave.

b batch   n photos   h w pixels   c trunk width   p tokens per photo (grid x grid)   d width   k key width
"""

from typing import NamedTuple

import timm
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import ImageConfig
from mm_memgpt.layers.resampler import Resampler
from mm_memgpt.types import MODALITIES, Features


class PixelStatistics(NamedTuple):
    """What a trunk expects of its input: side in pixels, and mean and deviation of each channel (pixels in 0..1)."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def create_trunk(config: ImageConfig, pretrained: bool = False) -> nn.Module:
    """The timm model without its pooling and classifier.

    Raises:
        ValueError: timm does not know the name; the message lists the closest names.
    """
    if not timm.is_model(config.trunk):
        close = timm.list_models(f"*{config.trunk.split('_')[0]}*")[:5] or ["mobilenetv4_conv_small", "resnet18"]
        raise ValueError(f"timm has no trunk {config.trunk!r}; try one of {', '.join(close)}")
    trunk = timm.create_model(config.trunk, pretrained=pretrained, num_classes=0, **config.trunk_args)
    if hasattr(trunk, "prune_intermediate_layers"):
        # what comes behind the map, such as a convolution before the pooling
        trunk.prune_intermediate_layers(prune_norm=False, prune_head=True)
    return trunk


def pixel_statistics(config: ImageConfig) -> PixelStatistics:
    """The trunk's own mean, standard deviation and size, the size overridden by `config.size` where it is given."""
    data = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(config.trunk).to_dict())
    return PixelStatistics(config.size or data["input_size"][-1], tuple(data["mean"]), tuple(data["std"]))


def feature_map(trunk: nn.Module, pixels: Tensor) -> Tensor:
    """(b, 3, h, w) normalised pixels to the trunk's last feature map (b, c, rows, columns)."""
    features = trunk.forward_features(pixels)
    if features.ndim != 4:
        raise ValueError(
            f"trunk {type(trunk).__name__} returns {features.ndim} axes, not a map; try a convolutional one"
        )
    return features


def stage_maps(trunk: nn.Module, pixels: Tensor) -> list[Tensor]:
    """(b, 3, h, w) normalised pixels to the maps of all stages, from fine to coarse; the last is `feature_map`'s."""
    return trunk.forward_intermediates(pixels)[1]


def map_shape(trunk: nn.Module, size: int) -> tuple[int, int, int]:
    """Channels, rows and columns of the trunk's map, read from one forward pass in evaluation mode."""
    device, training = next(trunk.parameters()).device, trunk.training
    with torch.no_grad():
        shape = feature_map(trunk.eval(), torch.zeros(1, 3, size, size, device=device)).shape
    trunk.train(training)
    return shape[1], shape[2], shape[3]


class ImageEncoder(nn.Module):
    """Photos to Features, one item a photo.

    Args:
        config: trunk, size and grid.
        width: d, width of the tokens.
        key_width: k, width of the retrieval key.
    """

    def __init__(self, config: ImageConfig, width: int, key_width: int) -> None:
        super().__init__()
        self.grid = config.grid
        self.trunk = create_trunk(config)
        self.frozen = False
        channels, rows, columns = map_shape(self.trunk, pixel_statistics(config).size)
        if config.grid > min(rows, columns):
            raise ValueError(f"grid {config.grid} is finer than the trunk's {rows}x{columns} map; try a larger size")
        self.project = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width)
        )
        self.position = nn.Parameter(torch.zeros(config.grid**2, width))
        self.resampler = Resampler(width, config.heads)
        self.norm = nn.LayerNorm(width)
        self.key = nn.Linear(channels, key_width, bias=False)

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
        b, n = pixel_values.shape[:2]
        full = feature_map(self.trunk, rearrange(pixel_values, "b n c h w -> (b n) c h w"))
        pooled = functional.adaptive_avg_pool2d(full, self.grid)
        grid = self.project(rearrange(full, "x c h w -> x (h w) c"))
        tokens = self.project(rearrange(pooled, "x c h w -> x (h w) c")) + self.position  # (b*n, p, d)
        tokens = self.norm(self.resampler(tokens, grid))
        key = functional.normalize(self.key(full.mean((2, 3))).float(), dim=-1)
        order = torch.arange(n, device=tokens.device).expand(b, n)
        if time is None:
            time = torch.stack([order, order], dim=-1).double()
        return Features(
            tokens=rearrange(tokens, "(b n) p d -> b n p d", b=b),
            mask=torch.ones(b, n, tokens.shape[1], dtype=torch.bool, device=tokens.device),
            key=rearrange(key, "(b n) k -> b n k", b=b).to(tokens.dtype),
            time=time,
            modality=torch.full((b, n), MODALITIES.index("image"), device=tokens.device),
            source=order.clone() if source is None else source,
        )

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
