"""This package's own models as backbones: nano, or any folder of theirs, reading text, photos and sounds.

Notable: what writes has no part in it, only the senses have; a text is one item of all its tokens, not of the few that
a memory would keep.

b rows   n items   t tokens, or samples   p tokens per item   d width
"""

from collections.abc import Mapping, Sequence
from os import PathLike

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mm_memgpt.backbones.base import Backbone, Inputs
from mm_memgpt.backbones.layers import chosen
from mm_memgpt.backbones.tokens import Encoding, Fit, blank, encode, fitted, stacked
from mm_memgpt.datasets.sound import pieces
from mm_memgpt.encoders.items import join
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.types import Features


class OwnProcessor:
    """Texts, photos and sounds, as the model's own processor makes them; a pair is one text after the other."""

    def __init__(self, processor: MMMemGPTProcessor, begin: int, fit: Fit, rate: int, seconds: float) -> None:
        self.processor, self.begin, self.fit = processor, begin, fit
        self.rate, self.seconds = rate, seconds

    def __call__(self, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = {}
        if inputs[0].text is not None:
            rows = [fitted(self._encoding(each), self.fit) for each in inputs]
            batch |= stacked(rows, self.processor.tokenizer.pad_token_id)
        if inputs[0].image is not None:
            photos = [each.image for each in inputs]
            batch["pixel_values"] = self.processor(images=photos, return_tensors="pt")["pixel_values"]
        if inputs[0].sound is not None:
            heard = [pieces(each.sound, self.rate, self.seconds)[0] for each in inputs]
            batch["input_values"] = pad_sequence(heard, batch_first=True)
            real = [torch.ones(len(each), dtype=torch.bool) for each in heard]
            batch["input_values_mask"] = pad_sequence(real, batch_first=True)
        return batch

    def length(self, inputs: Inputs) -> int:
        return 0 if inputs.text is None else len(self._encoding(inputs).ids)

    def _encoding(self, inputs: Inputs) -> Encoding:
        """begin, the text, end; and the second text and end again."""
        tokenizer = self.processor.tokenizer
        found = encode(tokenizer, [text for text in (inputs.text, inputs.text_pair) if text is not None], None)
        ids, part, offsets = [self.begin], [-1], [(0, 0)]
        for which, each in enumerate(found):
            words = [place for place, of in enumerate(each.part) if of == 0]
            ids += [*(each.ids[place] for place in words), tokenizer.eos_token_id]
            part += [*(which for _ in words), -1]
            offsets += [*(each.offsets[place] for place in words), (0, 0)]
        return Encoding(ids, [0] * len(ids), part, offsets)


class OwnBackbone(Backbone):
    """The senses of one of this package's models.

    Args:
        model: read with; its text encoder is told to keep all tokens of a text.
        processor: its own.
        fit: how texts are made to fit.
        reads: of text, image and sound, those to be used; all that the model has where None.
    """

    pooling = "mean"

    def __init__(
        self,
        model: MMMemGPTForConditionalGeneration,
        processor: MMMemGPTProcessor,
        fit: Fit,
        reads: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.own_processor = model, processor
        self.width, self.longest = model.config.width, fit.longest
        senses = {"text": model.text_encoder, "image": model.image_encoder, "sound": model.audio_encoder}
        has = tuple(name for name, sense in senses.items() if sense is not None)
        self.reads = has if reads is None else reads
        if model.text_encoder is not None:
            model.text_encoder.tokens = fit.longest
        audio = model.config.audio
        heard = (audio.rate, audio.seconds) if audio is not None else (1, 1.0)
        self.processor = OwnProcessor(processor, model.begin(1).item(), fit, *heard)

    def forward(self, batch: Mapping[str, Tensor]) -> Features:
        parts = []
        if "input_ids" in batch:
            read = self.model.read_text(batch["input_ids"], batch["attention_mask"])
            t = batch["input_ids"].shape[-1]
            parts.append(read._replace(tokens=read.tokens[:, :, :t], mask=read.mask[:, :, :t]))
        if "pixel_values" in batch:
            parts.append(self.model.image_encoder(batch["pixel_values"]))
        if "input_values" in batch:
            parts.append(self.model.read_sound(batch["input_values"], mask=batch["input_values_mask"]))
        return join(parts)

    @property
    def embedding(self) -> nn.Module:
        return self.model.get_input_embeddings()

    @property
    def blank(self) -> int:
        return blank(self.own_processor.tokenizer)

    @property
    def modules_to_adapt(self) -> nn.Module:
        return self.model

    @property
    def layers(self) -> list[nn.ModuleList]:
        tower = self.model.text_encoder
        return [] if tower is None or "text" not in self.reads else [tower.layers]

    def save(self, folder: str | PathLike) -> None:
        self.model.save_pretrained(folder)
        self.own_processor.save_pretrained(folder)


def keep_layers(model: MMMemGPTForConditionalGeneration, layers: int | Sequence[int]) -> None:
    """Leaves only some layers of what reads text, in place.

    Args:
        model: with a text encoder.
        layers: as `mm_memgpt.backbones.layers.chosen` takes them.

    Raises:
        ValueError: layers that are not there.
    """
    if model.text_encoder is None:
        raise ValueError("reads no text, so there are no layers to leave out; leave out 'layers'")
    tower = model.text_encoder
    tower.layers = nn.ModuleList(tower.layers[number] for number in chosen(layers, len(tower.layers)))
    model.config.text.layers = len(tower.layers)
