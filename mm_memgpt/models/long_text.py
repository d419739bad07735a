"""A text of any length, read by a decoder segment by segment, with what it knows of the text before carried on.

Notable: state goes in and comes out, and does not grow; the bank holds keys and values as what reads them made them, so
nothing is projected twice, however often it is read (the projection is linear: the mean of projected tokens is the
projected mean); a segment is written only when it has been read, so no logit knows a later word.

b batch   t tokens of a segment   v vocabulary   d decoder width   l reading layers   h heads   m slots' tokens
r memory tokens   s slots   p tokens per item
"""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from transformers import PreTrainedModel

from mm_memgpt.config import TextConfig
from mm_memgpt.encoders.text import TextEncoder
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.long_text_copying import Copying
from mm_memgpt.models.long_text_window import Window, slide
from mm_memgpt.models.long_text_writers import DecoderWriter, EncoderWriter
from mm_memgpt.models.seam import memory_layers, project_memory
from mm_memgpt.types import MemoryState

OPEN = 2.0
"""What the bank's words are worth beside the residual stream, before the gate, when training begins."""


class LongTextState(NamedTuple):
    """What is known of the text so far."""

    hidden: Tensor
    """(b, d): the decoder's last state, which predicts the next token."""
    window: Window
    """Keys and values of the last tokens."""
    memory: MemoryState | None = None
    """The bank, of keys and values."""
    carried: Tensor | None = None
    """(b, r, d): memory tokens that go from segment to segment."""

    def tensors(self) -> list[Tensor]:
        """All that a state holds."""
        carried = [] if self.carried is None else [self.carried]
        return [self.hidden, *self.window.keys, *self.window.values, *(self.memory or ()), *carried]


class LongText(nn.Module):
    """A decoder that reads long text.

    Args:
        decoder: a causal language model; with a bank, its layers wrapped to read what the writer writes.
        reads: how it reads.
        text: the text encoder's sizes, where it writes.

    Raises:
        ValueError: a window in a decoder without rotary positions, or a bank that no layer reads.
    """

    def __init__(self, decoder: PreTrainedModel, reads: LongTextConfig, text: TextConfig | None = None) -> None:
        super().__init__()
        self.decoder, self.reads = decoder, reads
        width = decoder.config.hidden_size
        self.rotary = getattr(decoder.base_model, "rotary_emb", None)
        if reads.window and self.rotary is None:
            raise ValueError(f"{type(decoder).__name__} has no rotary positions, which a window needs; try a llama")
        self.bank = self.writer = self.carry = self.copying = None
        if reads.reads_bank:
            layers = memory_layers(decoder)
            if not layers and not reads.copies_words:
                raise ValueError("no layer of the decoder reads a memory; wrap some, or set writes to none")
            self.copying = Copying(width) if reads.copies_words else None
            sizes = {"slots": reads.slots, "ring": reads.ring, "tokens": reads.tokens}
            own = 0 if self.copying is None else width
            self.bank = MemoryBank(width=own + 2 * width * len(layers), key_width=reads.key_width, **sizes)
            if reads.writes == "encoder":
                encoder = TextEncoder(text or TextConfig(), width, width, reads.key_width, reads.tokens)
                self.writer = EncoderWriter(reads, encoder)
            else:
                self.writer = DecoderWriter(reads, width)
                begin_as_cache(decoder)
        if reads.writes == "recurrent":
            scale = self.embeddings.weight.detach().std().item()
            self.first = nn.Parameter(scale * torch.randn(reads.recurrent, width))
            self.asks = nn.Parameter(scale * torch.randn(reads.recurrent, width))
            self.carry = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))
            nn.init.normal_(self.carry[1].weight, std=scale * width**-0.5)

    @property
    def embeddings(self) -> nn.Embedding:
        """The decoder's own."""
        return self.decoder.get_input_embeddings()

    def begin(self, batch: int = 1) -> LongTextState:
        """What is known before the first word: that a text begins."""
        device = self.embeddings.weight.device
        start = torch.full((batch, 1), self.decoder.config.bos_token_id, device=device)
        memory = None if self.bank is None else self.bank.empty(batch, device=device)
        carried = None if self.carry is None else self.first.unsqueeze(0).expand(batch, -1, -1)
        state = LongTextState(self.embeddings(start)[:, 0], Window(), memory, carried)
        hidden, window, carried = self._run(state, self.embeddings(start))
        return LongTextState(hidden[:, -1], window, memory, carried)

    def read(self, state: LongTextState, ids: Tensor, place: Tensor | None = None) -> tuple[Tensor, LongTextState]:
        """Logits (b, t, v) by which each of the tokens was predicted from all before it, and the state after them.

        Args:
            state: of the text before; `begin` gives the first.
            ids: (b, t) the next tokens of each row, at most a segment.
            place: (b, t) number of the sentence of each in the text; one sentence a segment where None.
        """
        if ids.shape[1] > self.reads.segment:
            raise ValueError(f"{ids.shape[1]} tokens are more than a segment, {self.reads.segment}; give them in parts")
        embedded = self.embeddings(ids)
        hidden, window, carried = self._run(state, embedded)
        before = torch.cat([state.hidden.to(hidden.dtype).unsqueeze(1), hidden[:, :-1]], dim=1)
        logits = self._logits(before, state.memory)
        memory = state.memory
        if self.bank is not None:
            place = torch.zeros_like(ids) if place is None else place
            memory = self.write(memory, ids, embedded, before, logits, place)
        return logits, LongTextState(hidden[:, -1], window, memory, carried)

    def foretell(self, state: LongTextState) -> Tensor:
        """Logits (b, v) of the token that comes next."""
        return self._logits(state.hidden.unsqueeze(1), state.memory)[:, 0]

    def write(
        self, memory: MemoryState, ids: Tensor, embedded: Tensor, before: Tensor, logits: Tensor, place: Tensor
    ) -> MemoryState:
        """The bank with a segment's items in it, as keys and values; the arguments are those of the writers."""
        features = self.writer(ids, embedded, before, logits, place)
        _, n, p = features.mask.shape
        tokens, written = rearrange(features.tokens, "b n p c -> b (n p) c"), []
        if self.copying is not None:
            written.append(self.copying.keys(tokens[..., : before.shape[-1]]))
        if memory_layers(self.decoder):
            projected = project_memory(self.decoder, tokens)[..., 1:, :]  # without the null
            written.append(rearrange(projected, "b l two h m w -> b m (l two h w)").float())
        return self.bank.write(memory, features._replace(tokens=torch.cat(written, -1).unflatten(1, (n, p))))

    def detach(self, state: LongTextState) -> LongTextState:
        """The same state, through which no gradient flows further back."""
        memory = None if state.memory is None else self.bank.detach(state.memory)
        carried = None if state.carried is None else state.carried.detach()
        return LongTextState(state.hidden.detach(), state.window.detach(), memory, carried)

    def _logits(self, before: Tensor, memory: MemoryState | None) -> Tensor:
        """What states (b, t, d) predict, with what they find in the bank."""
        logits = self.decoder.get_output_embeddings()(before)
        if self.copying is None:
            return logits
        keys = self.bank.tokens(memory)[0][..., : before.shape[-1]]
        return self.copying(before, logits, keys, memory.source, memory.items)

    def _run(self, state: LongTextState, embedded: Tensor) -> tuple[Tensor, Window, Tensor | None]:
        """Hidden states (b, t, d) of new tokens, the window behind them, and the memory tokens they leave."""
        t, old = embedded.shape[1], state.window.length
        at = torch.arange(old, old + t, device=embedded.device)
        inputs, extra = embedded, 0
        if state.carried is not None:  # they stand at the ends of the segment, and are told apart by what they are
            extra = state.carried.shape[1]
            asks = self.asks.unsqueeze(0).expand(len(embedded), -1, -1)
            inputs = torch.cat([state.carried.to(embedded.dtype), embedded, asks], dim=1)
            at = torch.cat([at[:1].expand(extra), at, at[-1:].expand(extra)])
        memory, mask = self._readable(state.memory)
        cache = state.window.cache()
        given = {} if memory is None else {"memory": memory, "memory_mask": mask}
        hidden = self.decoder.base_model(
            inputs_embeds=inputs,
            position_ids=at.expand(len(embedded), -1),
            past_key_values=cache,
            use_cache=True,
            **given,
        ).last_hidden_state
        window = self._slide(cache, old, extra, t)
        carried = None if extra == 0 else self.carry(hidden[:, -extra:])
        return hidden[:, extra : extra + t], window, carried

    def _slide(self, cache: object, old: int, extra: int, t: int) -> Window:
        if self.reads.window == 0:
            return Window()
        if extra:
            for layer in cache.layers:
                for name in ("keys", "values"):
                    whole = getattr(layer, name)
                    parts = whole[:, :, :old], whole[:, :, old + extra : old + extra + t]
                    setattr(layer, name, torch.cat(parts, dim=2))
        return slide(cache, self.reads.window, self.rotary)

    def _readable(self, memory: MemoryState | None) -> tuple[Tensor | None, Tensor | None]:
        """The bank as the reading layers take it (b, l, 2, h, 1+m, w), the null first, and its mask (b, m)."""
        layers = memory_layers(self.decoder)
        if memory is None or not layers:
            return None, None
        tokens, mask = self.bank.tokens(memory)
        tokens = tokens[..., 0 if self.copying is None else self.decoder.config.hidden_size :]
        heads = layers[0].cross.attention.heads
        projected = rearrange(tokens, "b m (l two h w) -> b l two h m w", l=len(layers), two=2, h=heads)
        null = torch.stack([layer.cross.attention.null for layer in layers])  # (l, 2, h, 1, w)
        null = null.unsqueeze(0).expand(len(tokens), -1, -1, -1, -1, -1)
        return torch.cat([null.to(projected.dtype), projected], dim=-2), mask


def begin_as_cache(decoder: PreTrainedModel) -> None:
    """Lets each reading layer begin as a cache behind a closed gate: states look for states like them, and find words.

    Q = LN h, K = LN of the state that predicted the word, V = its embedding.
    """
    for layer in memory_layers(decoder):
        attention = layer.cross.attention
        width = attention.query.weight.shape[0]
        with torch.no_grad():
            for weight in (attention.query.weight, attention.key_value.weight):
                nn.init.normal_(weight, std=0.02)
            nn.init.zeros_(attention.output.weight)
            own = torch.eye(width)
            attention.query.weight += own
            attention.key_value.weight[:width, :width] += own
            attention.key_value.weight[width:, width:] += own
            attention.output.weight += OPEN * own
