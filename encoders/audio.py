"""Sounds into memory items: a trunk that hears, its map pooled to a few tokens, a resampler, and a retrieval key.

Notable: it takes waveforms, and the trunk's adapter makes of them what the trunk wants (`audio_trunk`); items that are
padding are not heard at all, so they change nothing, not even the running statistics of training.

b batch   n items   t samples per item   x items that are real   c trunk width   p tokens per item (bands x times)
d width   k key width
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.audio_trunk import adapter, create_trunk, load_pretrained, probe, resolve
from mm_memgpt.encoders.base import TrunkOutput
from mm_memgpt.layers.resampler import Resampler
from mm_memgpt.types import MODALITIES, Features

__all__ = ["AudioEncoder", "create_trunk", "load_pretrained", "resolve"]


class AudioEncoder(nn.Module):
    """Sounds to Features, one item a piece of about a second (`mm_memgpt.datasets.sound.pieces`).

    Args:
        config: trunk, rate, length and grid.
        width: d, width of the tokens.
        key_width: k, width of the retrieval key.
        tokens: tokens that an item is filled up to, masked, so that sounds stand beside photos; None adds none.

    Raises:
        ValueError: the trunk is unknown, its map coarser than the grid, or its shared space absent or of another width.
    """

    def __init__(self, config: AudioConfig, width: int, key_width: int, tokens: int | None = None) -> None:
        super().__init__()
        self.config = config
        self.key_width = key_width
        self.room = max(0, (config.tokens if tokens is None else tokens) - config.tokens)
        self.trunk = create_trunk(config)
        self.fixed = {name for name, parameter in self.trunk.named_parameters() if not parameter.requires_grad}
        self.frozen = False
        with torch.no_grad():
            heard = probe(self.trunk, config)
        channels, bands, times = heard.map.shape[1:]
        if config.bands > bands or config.times > times:
            raise ValueError(
                f"grid {config.bands}x{config.times} is finer than the trunk's {bands}x{times} map of "
                f"{config.seconds:g} seconds; set audio.bands and audio.times to no more"
            )
        self.project = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, width), nn.GELU(), nn.Linear(width, width)
        )
        self.position = nn.Parameter(torch.zeros(config.tokens, width))
        self.resampler = Resampler(width, config.heads)
        self.norm = nn.LayerNorm(width)
        self.key = None if config.key == "trunk" else nn.Linear(channels, key_width, bias=False)
        if self.key is None:
            _check_shared_space(config, heard.embedding, key_width)

    def forward(
        self, waveforms: Tensor, source: Tensor | None = None, time: Tensor | None = None, mask: Tensor | None = None
    ) -> Features:
        """One item a piece.

        Args:
            waveforms: (b, n, t) from -1 to 1 at `config.rate`.
            source: (b, n) int64 source numbers; 0 where it is None, because the pieces of a row are one sound.
            time: (b, n, 2) float64 seconds; one piece after another from 0 on where it is None.
            mask: (b, n) True where an item is real; all are where it is None.

        Raises:
            ValueError: the shapes do not fit together.
        """
        if waveforms.ndim != 3 or (mask is not None and mask.shape != waveforms.shape[:2]):
            shape = None if mask is None else tuple(mask.shape)
            raise ValueError(f"waveforms {tuple(waveforms.shape)} and mask {shape} must be (b, n, t) and (b, n)")
        flat = rearrange(waveforms, "b n t -> (b n) t")
        heard = self._hear(flat) if mask is None else self._hear_real(flat, mask.flatten())
        return self._items(*heard, waveforms.shape, source, time, mask)

    def from_map(
        self,
        maps: Tensor,
        embedding: Tensor | None = None,
        source: Tensor | None = None,
        time: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Features:
        """As `forward`, from what the trunk made of the pieces before: it is not run.

        Args:
            maps: (b, n, c, rows, columns) the trunk's last maps, of pieces of `config.samples`.
            embedding: (b, n, k) places in the space shared with text, where those are the keys.
            source: as in `forward`.
            time: as in `forward`.
            mask: as in `forward`.

        Raises:
            ValueError: maps of another number of axes, or no embedding where that is the key.
        """
        if maps.ndim != 5:
            raise ValueError(f"maps {tuple(maps.shape)} must be (b, n, c, rows, columns), as the trunk made them")
        if self.key is None and embedding is None:
            raise ValueError("the trunk's own space has this encoder's keys; give embedding beside maps")
        described = self._describe(maps.flatten(0, 1), None if embedding is None else embedding.flatten(0, 1))
        return self._items(*described, (*maps.shape[:2], self.config.samples), source, time, mask)

    def _items(
        self,
        tokens: Tensor,
        key: Tensor,
        shape: Sequence[int],
        source: Tensor | None,
        time: Tensor | None,
        mask: Tensor | None,
    ) -> Features:
        """Tokens (b*n, p, d) and keys (b*n, k) of pieces of `shape` (b, n, t) as n items a row."""
        b, n, t = shape
        if mask is None:
            mask = torch.ones(b, n, dtype=torch.bool, device=tokens.device)
        if time is None:
            edges = torch.arange(n + 1, device=tokens.device, dtype=torch.float64) * (t / self.config.rate)
            time = torch.stack([edges[:-1], edges[1:]], dim=-1).expand(b, n, 2)
        real = mask.unsqueeze(-1).expand(b, n, tokens.shape[1])
        return Features(
            tokens=rearrange(functional.pad(tokens, (0, 0, 0, self.room)), "(b n) p d -> b n p d", b=b),
            mask=functional.pad(real, (0, self.room)),
            key=rearrange(key, "(b n) k -> b n k", b=b),
            time=time,
            modality=torch.full((b, n), MODALITIES.index("audio"), device=tokens.device),
            source=torch.zeros(b, n, dtype=torch.int64, device=tokens.device) if source is None else source,
        )

    def _hear(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Items (x, t) as tokens (x, p, d) and keys (x, k)."""
        return self._describe(*self.listen(waveforms))

    def listen(self, waveforms: Tensor) -> TrunkOutput:
        """What the trunk makes of items (x, t): their maps, for `from_map`."""
        return adapter(self.config).perceive(self.trunk, waveforms, self.config)

    def _describe(self, full: Tensor, embedding: Tensor | None) -> tuple[Tensor, Tensor]:
        """What the trunk made of x items, (x, c, rows, columns), as tokens (x, p, d) and keys (x, k)."""
        pooled = functional.adaptive_avg_pool2d(full, (self.config.bands, self.config.times))
        grid = self.project(rearrange(full, "x c r s -> x (r s) c"))
        tokens = self.project(rearrange(pooled, "x c r s -> x (r s) c")) + self.position  # (x, p, d)
        tokens = self.norm(self.resampler(tokens, grid))
        key = embedding if self.key is None else self.key(full.mean((2, 3)))
        return tokens, functional.normalize(key.float(), dim=-1).to(tokens.dtype)

    def _hear_real(self, waveforms: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """As `_hear`, with zeros where an item is not real."""
        tokens = self.position.new_zeros(len(real), *self.position.shape)
        keys = self.position.new_zeros(len(real), self.key_width)
        if not real.any():
            return tokens, keys
        heard, key = self._hear(waveforms[real])
        return tokens.to(heard.dtype).index_put((real,), heard), keys.to(key.dtype).index_put((real,), key)

    def freeze(self) -> "AudioEncoder":
        """Stops training the trunk: no gradients, and its running statistics stay as they are."""
        self.frozen = True
        self.trunk.requires_grad_(False)
        return self.train(self.training)

    def thaw(self) -> "AudioEncoder":
        """Trains the trunk again, but for what its library never trains, such as Whisper's positions."""
        self.frozen = False
        for name, parameter in self.trunk.named_parameters():
            parameter.requires_grad_(name not in self.fixed)
        return self.train(self.training)

    def train(self, mode: bool = True) -> "AudioEncoder":
        """As nn.Module.train, but a frozen trunk stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.trunk.eval()
        return self


def _check_shared_space(config: AudioConfig, embedding: Tensor | None, key_width: int) -> None:
    if embedding is None:
        raise ValueError(
            f"trunk {config.trunk!r} shares no space with text; set audio.key to 'learned', or take a tower that does, "
            "such as transformers/clap_audio_model"
        )
    if embedding.shape[-1] != key_width:
        raise ValueError(
            f"key_width {key_width} is not the {embedding.shape[-1]} of the space that {config.trunk!r} shares with "
            f"text; set key_width to {embedding.shape[-1]}, or audio.key to 'learned'"
        )
