"""The senses of a model: what its encoders make of photos, sounds and sentences, and how that gets into its memory.

Notable: a model has those senses that its config names; photos and sounds that come together are written in the order
of their times, whichever came first in the call.

b batch   n items per row   t samples of a piece, or text tokens
"""

import torch
from torch import Tensor, nn

from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.encoders.image import ImageEncoder
from mm_memgpt.encoders.items import by_time, join
from mm_memgpt.encoders.motion import MotionEncoder
from mm_memgpt.encoders.text import TextEncoder
from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.types import Features, MemoryState


class Senses(nn.Module):
    """The part of a model that perceives; the model itself has the encoders and the bank."""

    image_encoder: ImageEncoder
    audio_encoder: AudioEncoder | None
    motion_encoder: MotionEncoder | None
    text_encoder: TextEncoder | None
    bank: MemoryBank

    def perceive(
        self,
        pixel_values: Tensor,
        state: MemoryState | None = None,
        source: Tensor | None = None,
        time: Tensor | None = None,
    ) -> MemoryState:
        """Photos written into a memory; an empty one where `state` is None.

        Args:
            pixel_values: (b, 3, h, w) or (b, n, 3, h, w), normalised.
            state: a memory of batch b.
            source: (b, n) source numbers, from 0 where None; give them where `state` already holds photos.
            time: (b, n, 2) seconds, one a photo where None; likewise.
        """
        return self.write(self.image_encoder(pixel_values, source, time), state)

    def hear(
        self,
        input_values: Tensor,
        state: MemoryState | None = None,
        source: Tensor | None = None,
        time: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> MemoryState:
        """Sounds written into a memory, as `perceive` writes photos; the arguments are those of `read_sound`."""
        return self.write(self.read_sound(input_values, source, time, mask), state)

    def write(self, features: Features, state: MemoryState | None = None) -> MemoryState:
        """Items written into a memory; an empty one where `state` is None."""
        if state is None:
            state = self.bank.empty(len(features.tokens), device=features.tokens.device)
        return self.bank.write(state, features)

    def read_sound(
        self,
        input_values: Tensor,
        source: Tensor | None = None,
        time: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Features:
        """Pieces of sound as items.

        Args:
            input_values: (b, t) one piece a row, or (b, n, t) n pieces a row, from -1 to 1 at the config's audio.rate.
            source: (b, n) source numbers, as in `AudioEncoder.forward`.
            time: (b, n, 2) seconds, likewise.
            mask: (b, n) True where a piece is real; all are where None.

        Raises:
            ValueError: the model has no audio encoder, or shapes that do not fit together.
        """
        if self.audio_encoder is None:
            raise ValueError("this model has no audio encoder; train one with audio in its config")
        if input_values.ndim == 2:
            input_values = input_values.unsqueeze(1)
        return self.audio_encoder(input_values, source, time, mask)

    def read_text(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        source: Tensor | None = None,
        time: Tensor | None = None,
    ) -> Features:
        """Sentences as items, to be written into a memory, or to be compared with photos by their keys.

        Args:
            input_ids: (b, t) one sentence a row, or (b, n, t) n sentences a row, as token numbers.
            attention_mask: of the same shape, 1 where a token is real; all are where None.
            source: (b, n) source numbers, as in `TextEncoder.forward`.
            time: (b, n, 2) seconds, likewise.

        Raises:
            ValueError: the model has no text encoder.
        """
        if self.text_encoder is None:
            raise ValueError("this model has no text encoder; train one with text in its config, as nano has")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if input_ids.ndim == 2:
            input_ids, mask = input_ids.unsqueeze(1), mask.unsqueeze(1)
        return self.text_encoder(self.get_input_embeddings()(input_ids), mask.bool(), source, time)

    def observe(
        self, pixel_values: Tensor | None, input_values: Tensor | None, input_values_mask: Tensor | None = None
    ) -> Features:
        """Photos, pieces of one sound a row, or both on one clock, by their times; the sound is a source of its own.

        Args:
            pixel_values: as in `perceive`: photo i of a row is source i at second i.
            input_values: as in `read_sound`: one piece after another from second 0 on.
            input_values_mask: (b, n) True where a piece is real; all are where None.

        Raises:
            ValueError: neither is given, or the model has no audio encoder.
        """
        if pixel_values is None and input_values is None:
            raise ValueError("nothing to observe; give pixel_values, input_values or both")
        if input_values is None:
            return self.image_encoder(pixel_values)
        heard = self.read_sound(input_values, mask=input_values_mask)
        if pixel_values is None:
            return heard
        seen = self.image_encoder(pixel_values)
        return by_time(join([seen, heard._replace(source=heard.source + seen.source.shape[1])]))
