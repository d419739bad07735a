"""The model: encoders, memory bank, fusion and decoder as one transformers model.

Notable: `forward` and `generate` take photos and sounds, or a memory made before; the memory is projected to keys and
values once and then travels through generation as an ordinary argument, so beams and caches work as users of
transformers expect.

b batch   n photos or pieces of sound per row   m memory tokens   t text tokens, or samples   v vocabulary   d width
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache, GenerationConfig, GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.encoders.image import ImageEncoder
from mm_memgpt.encoders.motion import MotionEncoder
from mm_memgpt.encoders.text import TextEncoder
from mm_memgpt.fusion.fuser import Fused, MultimodalFuser
from mm_memgpt.fusion.packing import packing, taken
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.models.decoder import build_decoder
from mm_memgpt.models.seam import project_memory, quieten
from mm_memgpt.models.senses import Senses
from mm_memgpt.types import MemoryState

PROJECTED_AXES = 6
"""Axes of a projected memory (b, layers, 2, heads, 1+m, head width); memory tokens (b, m, d) have three."""


def first_token(config: GenerationConfig, names: tuple[str, ...], rows: int, device: torch.device) -> Tensor:
    """The first of the named tokens that there is, (rows, 1).

    Raises:
        ValueError: there is none.
    """
    for name in names:
        if (token := getattr(config, name)) is not None:
            return torch.full((rows, 1), token[0] if isinstance(token, list) else token, device=device)
    raise ValueError(f"the language model has no {' nor '.join(names)}, so the text cannot begin; give input_ids")


class MMMemGPTForConditionalGeneration(Senses, PreTrainedModel, GenerationMixin):
    """Photos and sounds into a bounded memory, and text out of it, by a causal language model.

    Raises:
        ValueError: the decoder's family drops the memory or is an encoder-decoder, or the sizes of the config do not
            fit together.
    """

    writes_from_a_source = False
    config_class = MMMemGPTConfig
    base_model_prefix = ""
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ("MemoryLayer",)

    def __init__(self, config: MMMemGPTConfig) -> None:
        if config.is_encoder_decoder is not self.writes_from_a_source:
            kind = "an encoder-decoder" if config.is_encoder_decoder else "causal"
            name = "MMMemGPTForSeq2SeqLM" if config.is_encoder_decoder else "MMMemGPTForConditionalGeneration"
            raise ValueError(f"decoder {config.decoder.model['model_type']!r} is {kind}; its class is {name}")
        attention = config._attn_implementation  # as asked for; the library's constructor puts its default there
        super().__init__(config)
        sizes = (config.width, config.key_width, config.tokens_per_item)
        self.image_encoder = ImageEncoder(config.image, *sizes)
        self.bank = MemoryBank(
            slots=config.memory.slots,
            ring=config.memory.ring,
            tokens=config.tokens_per_item,
            width=config.width,
            key_width=config.key_width,
        )
        fusion = config.fusion
        self.fuser = MultimodalFuser(
            config.width,
            fusion.heads,
            fusion.graph_layers,
            fusion.order,
            fusion.cross_attention,
            fusion.entity_width,
            fusion.relations,
        )
        self.decoder = build_decoder(config.decoder, config.width)
        if attention not in (None, "sdpa"):
            self.decoder.set_attn_implementation(attention)
        embedding_width = self.decoder.get_input_embeddings().embedding_dim
        self.text_encoder = None if config.text is None else TextEncoder(config.text, embedding_width, *sizes)
        with torch.random.fork_rng(devices=[]):  # of one seed, all else begins as it would without them
            self.audio_encoder = None if config.audio is None else AudioEncoder(config.audio, *sizes)
            self.motion_encoder = None
            if config.motion is not None:
                self.motion_encoder = MotionEncoder(config.motion, self.image_encoder.map_shape, *sizes)
        self.post_init()
        if config.decoder.output_std is not None:  # only now: all within it has begun by its own rule
            quieten(self.decoder, config.decoder.output_std)

    def _init_weights(self, module: nn.Module) -> None:
        """Every part initialises itself: zero gates and identities would be lost to a general rule."""

    def get_input_embeddings(self) -> nn.Module:
        return self.decoder.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module:
        return self.decoder.get_output_embeddings()

    def read(self, state: MemoryState, relations: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the decoder reads of a memory: the readout, then its real tokens (b, 1+n, d), and the mask (b, 1+n).

        `relations` (b, s, s) are further edges between its slots.
        """
        return self.readable(self.fuser(state, relations))

    @staticmethod
    def readable(fused: Fused) -> tuple[Tensor, Tensor]:
        """A fused memory as one sequence (b, 1+n, d) with its mask (b, 1+n); the readout is real if any token is.

        Of m tokens it holds the n that the fullest row needs: padding is read by nobody, and costs as much.
        """
        tokens, real = fused.tokens, fused.mask
        if (places := packing(real)) is not None:
            tokens, real = taken(tokens, places), taken(real, places)
        tokens = torch.cat([fused.readout.unsqueeze(1), tokens], dim=1)
        return tokens, torch.cat([fused.mask.any(1, keepdim=True), real], dim=1)

    def project_memory(self, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Memory tokens (b, m, d) as keys and values for every reading layer, one tensor, batch first."""
        return project_memory(self.decoder, memory, memory_mask)

    def _memory(
        self, memory: Tensor | None, memory_mask: Tensor | None, rows: int | None, **observed: Tensor | None
    ) -> tuple[Tensor | None, Tensor | None]:
        """The projected memory, given or of what is observed, and its mask, repeated for the rows of text it serves."""
        for name, what in (("pixel_values", "photos"), ("input_values", "sounds")):
            if observed[name] is not None and memory is not None:
                raise ValueError(f"give {name} or memory, not both; write the {what} into the memory first")
        if observed["pixel_values"] is not None or observed["input_values"] is not None:
            memory, memory_mask = self.read(self.write(self.observe(**observed)))
        if memory is None:
            return None, None
        if memory.ndim != PROJECTED_AXES:
            memory = self.project_memory(memory, memory_mask)
        if rows is not None and rows != len(memory):
            if rows % len(memory) != 0:
                raise ValueError(f"{rows} rows of text cannot share {len(memory)} memories evenly")
            memory = memory.repeat_interleave(rows // len(memory), dim=0)
            memory_mask = (
                None if memory_mask is None else memory_mask.repeat_interleave(rows // len(memory_mask), dim=0)
            )
        return memory, memory_mask

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        logits_to_keep: int = 0,
        input_values: Tensor | None = None,
        input_values_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (b, t, v) of the text given what is seen and heard, or a memory, and with labels the cross-entropy.

        Args:
            input_ids: (b, t) token numbers.
            attention_mask: (b, t) 1 where a token is real.
            pixel_values: (b', 3, h, w) or (b', n, 3, h, w); b' divides b, and each memory serves b / b' rows of text.
            memory: (b', m, d) memory tokens, or what `project_memory` returned.
            memory_mask: (b', m) True where a memory token is real.
            labels: (b, t) the next-token targets, unshifted, -100 where there is none.
            inputs_embeds: (b, t, decoder width) instead of input_ids.
            position_ids: (b, t) places in the text; counted from its start where None.
            logits_to_keep: compute logits of that many last tokens only; 0 is all.
            input_values: (b', t) or (b', n, t) raw sound in pieces, from -1 to 1 at the config's audio.rate; with
                photos, both are written by their times (`observe`).
            input_values_mask: (b', n) True where a piece of sound is real; all are where None.
            kwargs: what the decoder's own forward takes: past_key_values, use_cache, ...

        Raises:
            ValueError: a memory is given beside photos or sounds, rows of text and memories do not match, or a sound to
                a model that has no audio encoder.
        """
        text = input_ids if inputs_embeds is None else inputs_embeds
        memory, memory_mask = self._memory(
            memory,
            memory_mask,
            None if text is None else len(text),
            pixel_values=pixel_values,
            input_values=input_values,
            input_values_mask=input_values_mask,
        )
        if position_ids is not None:
            kwargs["position_ids"] = position_ids
        if logits_to_keep != 0:
            kwargs["logits_to_keep"] = logits_to_keep
        outputs = self.decoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            memory=memory,
            memory_mask=memory_mask,
            **kwargs,
        )
        if labels is not None:
            logits = outputs.logits[:, :-1].float().flatten(0, 1)
            outputs.loss = functional.cross_entropy(logits, labels[:, 1:].flatten(), ignore_index=-100)
        return outputs

    def generate(
        self,
        inputs: Tensor | None = None,
        *,
        pixel_values: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        input_values: Tensor | None = None,
        input_values_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """transformers' generate, from photos and sounds or from a memory.

        Args:
            inputs: (b, t) prompt token numbers (also as `input_ids=`), the source text of an encoder-decoder. With
                none, the text begins with bos, and an encoder-decoder reads eos alone.
            pixel_values: as in `forward`; encoded once.
            memory: as in `forward`; projected once.
            memory_mask: as in `forward`.
            input_values: as in `forward`; encoded once.
            input_values_mask: as in `forward`.
            kwargs: every argument of GenerationMixin.generate.

        Raises:
            ValueError: as `forward`, or there is no token to begin with.
        """
        inputs = kwargs.pop("input_ids", None) if inputs is None else inputs
        text = kwargs.get("inputs_embeds") if inputs is None else inputs
        with torch.no_grad():
            memory, memory_mask = self._memory(
                memory,
                memory_mask,
                None if text is None else len(text),
                pixel_values=pixel_values,
                input_values=input_values,
                input_values_mask=input_values_mask,
            )
        if text is None and "encoder_outputs" not in kwargs:
            inputs = self._blank(1 if memory is None else len(memory))
        return super().generate(inputs, memory=memory, memory_mask=memory_mask, **kwargs)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        past_key_values: Cache | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What `forward` is given at each step: as the stock model prepares it (Phi-3 has rules of its own)."""
        return self.decoder.prepare_inputs_for_generation(
            input_ids,
            past_key_values=past_key_values,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            **kwargs,
        )

    def teacher_forced(
        self, sequences: Tensor, memory: Tensor | None = None, memory_mask: Tensor | None = None
    ) -> Tensor:
        """Logits (b, t-1, v) of each next token of `sequences` (b, t), which begin as `generate` returned them.

        Args:
            sequences: (b, t) token numbers, the prompt first.
            memory: as in `forward`.
            memory_mask: as in `forward`.
        """
        return self(input_ids=sequences[:, :-1], memory=memory, memory_mask=memory_mask).logits

    def begin(self, rows: int) -> Tensor:
        """The token that every written text begins with (rows, 1)."""
        return first_token(self.generation_config, ("bos_token_id", "eos_token_id"), rows, self.device)

    def _blank(self, rows: int) -> Tensor:
        """The input_ids where none are given (rows, 1)."""
        return self.begin(rows)
