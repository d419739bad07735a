"""The models that the caption benchmark compares, each reading a photo's cached map and writing a sentence.

Notable: all have one interface, that of the package's own model given maps for pixels, so one loop trains them; what
they share (widths, layers, tokenizer) comes from one preset of the package.

b photos   r rows of text, the same number for each photo   c channels of the map   h w its cells   t tokens   d width
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
)
from transformers.modeling_outputs import BaseModelOutput

from mm_memgpt.encoders.base import TrunkOutput
from mm_memgpt.layers.gate import Gate
from mm_memgpt.models.assembly import LONGEST_CAPTION, put_together
from mm_memgpt.models.seam import memory_layers
from mm_memgpt.presets import PRESETS

BEAM = {"num_beams": 4, "do_sample": False, "max_new_tokens": LONGEST_CAPTION}
"""How every row writes."""

STRIDE = 32
"""Pixels a cell of the last map: of the presets' trunks and of the teacher alike."""


class Size(NamedTuple):
    """What the rows have in common, and the maps they read."""

    preset: str
    tokenizer: PreTrainedTokenizerFast
    channels: int
    cells: int
    """Of the map's side."""


def count_parameters(model: nn.Module) -> int:
    """How many numbers a model holds, those it does not train included."""
    return sum(parameter.numel() for parameter in model.parameters())


@torch.inference_mode()
def sentences(model: nn.Module, tokenizer: PreTrainedTokenizerFast, maps: np.ndarray, batch: int = 16) -> list[str]:
    """What a row's model writes of each of the maps (n, c, h, w), fp16 or float32."""
    starts = range(0, len(maps), batch)
    written = (model.write(torch.from_numpy(maps[start : start + batch].astype(np.float32))) for start in starts)
    return [text for tokens in written for text in tokenizer.batch_decode(tokens, skip_special_tokens=True)]


class Ours(nn.Module):
    """The package's model without its trunk: resampler, bank, fusion, and gated cross-attention in the decoder."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        image = replace(PRESETS[size.preset]().image, size=STRIDE * size.cells, grid=size.cells)
        self.model, _ = put_together(size.preset, trunk=image, tokenizer=size.tokenizer)
        self.model.text_encoder = None  # it searches; it writes nothing
        self.model.audio_encoder = None  # there is nothing to hear
        encoder, width = self.model.image_encoder, self.model.config.width
        encoder.trunk, encoder.perceive = nn.Identity(), lambda trunk, maps: TrunkOutput(maps, None)
        encoder.project[0], encoder.project[1] = nn.LayerNorm(size.channels), nn.Linear(size.channels, width)
        encoder.key = nn.Linear(size.channels, self.model.config.key_width, bias=False)

    def forward(self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """Maps (b, c, h, w) and text (r, t) to an output with logits (r, t, v)."""
        return self.model(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values)

    def write(self, maps: Tensor) -> Tensor:
        """Token numbers (b, t) of a sentence about each map."""
        return self.model.generate(pixel_values=maps, **BEAM)


class Blind(Ours):
    """The same with every gate at zero for good: a language model that sees no photo."""

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        self.requires_grad_(False)
        self.model.decoder.requires_grad_(True)
        for layer in memory_layers(self.model):
            layer.cross.requires_grad_(False)
        for gate in (module for module in self.modules() if isinstance(module, Gate)):
            nn.init.zeros_(gate.alpha)


class Prefix(nn.Module):
    """The same decoder without cross-attention: the map's cells, projected as ours are, stand before the text."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        config = Ours(size).model.config
        self.decoder = AutoModelForCausalLM.from_config(config.decoder.language_model())
        width = self.decoder.config.hidden_size
        self.project = nn.Sequential(
            nn.LayerNorm(size.channels), nn.Linear(size.channels, width), nn.GELU(), nn.Linear(width, width)
        )
        self.position = nn.Parameter(torch.zeros(size.cells**2, width))

    def prefix(self, maps: Tensor) -> Tensor:
        """(b, c, h, w) to (b, h*w, d)."""
        return self.project(rearrange(maps, "b c h w -> b (h w) c")) + self.position

    def forward(self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """As `Ours.forward`."""
        prefix = self.prefix(pixel_values).repeat_interleave(len(input_ids) // len(pixel_values), dim=0)
        embedded = torch.cat([prefix, self.decoder.get_input_embeddings()(input_ids)], dim=1)
        mask = torch.cat([attention_mask.new_ones(prefix.shape[:2]), attention_mask], dim=1)
        text = input_ids.shape[1]
        return self.decoder(inputs_embeds=embedded, attention_mask=mask, logits_to_keep=text, use_cache=False)

    def write(self, maps: Tensor) -> Tensor:
        """As `Ours.write`."""
        begin = torch.full((len(maps), 1), self.decoder.config.bos_token_id)
        embedded = torch.cat([self.prefix(maps), self.decoder.get_input_embeddings()(begin)], dim=1)
        mask = embedded.new_ones(embedded.shape[:2], dtype=torch.long)
        return self.decoder.generate(inputs_embeds=embedded, attention_mask=mask, **BEAM)


class MapConfig(PreTrainedConfig):
    """Of `MapEncoder`: the channels of the map."""

    model_type = "benchmark_map"
    hidden_size: int = 0


class MapEncoder(PreTrainedModel):
    """A cached map as the last hidden state of an encoder, normalised as a ViT's is."""

    config_class = MapConfig
    main_input_name = "pixel_values"

    def __init__(self, config: MapConfig) -> None:
        super().__init__(config)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutput:
        """(b, c, h, w) to last_hidden_state (b, h*w, c); what else the outer model passes on says nothing here."""
        return BaseModelOutput(last_hidden_state=self.norm(rearrange(pixel_values, "b c h w -> b (h w) c")))


AutoConfig.register(MapConfig.model_type, MapConfig)


class HuggingFace(nn.Module):
    """VisionEncoderDecoderModel: GPT-2 with cross-attention, as many layers as bring it nearest to ours."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        due = count_parameters(Ours(size))
        with torch.device("meta"):
            one, two = (count_parameters(_vision_encoder_decoder(size, layers)) for layers in (1, 2))
        self.model = _vision_encoder_decoder(size, max(1, round(1 + (due - one) / (two - one))))

    def forward(self, pixel_values: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """As `Ours.forward`."""
        maps = pixel_values.repeat_interleave(len(input_ids) // len(pixel_values), dim=0)
        return self.model(pixel_values=maps, decoder_input_ids=input_ids, decoder_attention_mask=attention_mask)

    def write(self, maps: Tensor) -> Tensor:
        """As `Ours.write`."""
        return self.model.generate(pixel_values=maps, **BEAM)


def _vision_encoder_decoder(size: Size, layers: int) -> VisionEncoderDecoderModel:
    decoder = PRESETS[size.preset](vocab_size=len(size.tokenizer)).decoder.language_model()
    special = {name: getattr(size.tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    text = GPT2Config(
        vocab_size=len(size.tokenizer),
        n_embd=decoder.hidden_size,
        n_head=decoder.num_attention_heads,
        n_layer=layers,
        n_positions=decoder.max_position_embeddings,
        is_decoder=True,
        add_cross_attention=True,
        **special,
    )
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        MapConfig(hidden_size=size.channels),
        text,
        decoder_start_token_id=special["bos_token_id"],
        eos_token_id=special["eos_token_id"],
        pad_token_id=special["pad_token_id"],
    )
    return VisionEncoderDecoderModel(config, MapEncoder(config.encoder), GPT2LMHeadModel(config.decoder))
