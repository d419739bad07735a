"""The model around an encoder-decoder (T5, BART, Marian): it reads a source text and the memory, and writes another.

Notable: the same seam and the same memory as around a causal model; the text encoder reads the source text as ever,
and the decoder's layers read the memory beside it. Without a source text the encoder reads the end token alone, so
that photos suffice.

b batch   m memory tokens   t tokens written   s tokens of the source text   v vocabulary   d width
"""

from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration, first_token


class MMMemGPTForSeq2SeqLM(MMMemGPTForConditionalGeneration):
    """Photos into a bounded memory, and text out of it and of a source text.

    Raises:
        ValueError: the decoder is causal or drops the memory, or the sizes of the config do not fit together.
    """

    writes_from_a_source = True

    def get_encoder(self, modality: str | None = None) -> nn.Module:
        return self.decoder.get_encoder(modality)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        encoder_outputs: BaseModelOutput | None = None,
        input_values: Tensor | None = None,
        input_values_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        """Logits (b, t, v) of what is written from the source text and what is seen, heard or remembered; the loss.

        Args:
            input_ids: (b, s) the source text; the end token alone where there is none.
            attention_mask: (b, s) 1 where a token of the source is real.
            pixel_values: (b', 3, h, w) or (b', n, 3, h, w); b' divides b, and each memory serves b / b' rows of text.
            memory: (b', m, d) memory tokens, or what `project_memory` returned.
            memory_mask: (b', m) True where a memory token is real.
            labels: (b, t) what is to be written, unshifted and without the start token, -100 where there is none.
            inputs_embeds: (b, s, encoder width) instead of input_ids.
            decoder_input_ids: (b, t) what is written, the start token first; from the labels where None.
            decoder_attention_mask: (b, t) 1 where a token of it is real.
            decoder_inputs_embeds: (b, t, decoder width) instead of decoder_input_ids.
            encoder_outputs: what the text encoder said before, instead of input_ids.
            input_values: (b', t) or (b', n, t) raw sound in pieces, as in the causal model.
            input_values_mask: (b', n) True where a piece of sound is real; all are where None.
            kwargs: what the stock forward takes: past_key_values, use_cache, ...

        Raises:
            ValueError: nothing is written, a memory is given beside photos or sounds, or rows of text and memories do
                not match.
        """
        written = next((x for x in (decoder_input_ids, decoder_inputs_embeds, labels) if x is not None), None)
        if written is None:
            raise ValueError("give labels or decoder_input_ids, what is written; input_ids are the source text")
        memory, memory_mask = self._memory(
            memory,
            memory_mask,
            len(written),
            pixel_values=pixel_values,
            input_values=input_values,
            input_values_mask=input_values_mask,
        )
        if input_ids is None and inputs_embeds is None and encoder_outputs is None:
            input_ids = self._blank(len(written))
        return self.decoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            labels=labels,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            decoder_inputs_embeds=decoder_inputs_embeds,
            encoder_outputs=encoder_outputs,
            memory=memory,
            memory_mask=memory_mask,
            **kwargs,
        )

    def teacher_forced(
        self,
        sequences: Tensor,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        source: Tensor | None = None,
        source_mask: Tensor | None = None,
    ) -> Tensor:
        """Logits (b, t-1, v) of each next token of `sequences` (b, t), which begin as `generate` returned them.

        Args:
            sequences: (b, t) token numbers, the start token first.
            memory: as in `forward`.
            memory_mask: as in `forward`.
            source: (b, s) the source text they were written from.
            source_mask: (b, s) 1 where a token of it is real.
        """
        return self(
            input_ids=source,
            attention_mask=source_mask,
            memory=memory,
            memory_mask=memory_mask,
            decoder_input_ids=sequences[:, :-1],
        ).logits

    def begin(self, rows: int) -> Tensor:
        return first_token(self.generation_config, ("decoder_start_token_id", "bos_token_id"), rows, self.device)

    def _blank(self, rows: int) -> Tensor:
        return first_token(self.generation_config, ("eos_token_id", "bos_token_id"), rows, self.device)
