"""Encoders, decoders and encoder-decoders of transformers as backbones that read text.

Notable: of an encoder-decoder only the encoder reads; a decoder's tokens have only heard of those before them, so a
text is pooled at its last one; what is saved is the library's own folder.

b rows   n items   t tokens   d width
"""

from collections.abc import Mapping, Sequence
from os import PathLike

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerBase as Tokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from mm_memgpt.backbones.base import Backbone, Inputs
from mm_memgpt.backbones.layers import stacks, with_layers
from mm_memgpt.backbones.tokens import Fit, blank, encode, fitted, stacked
from mm_memgpt.models.quiet import quiet
from mm_memgpt.types import MODALITIES, Features, InputError


class TextProcessor:
    """Texts to tokens, by a tokenizer."""

    def __init__(self, tokenizer: Tokenizer, fit: Fit) -> None:
        self.tokenizer, self.fit = tokenizer, fit

    def __call__(self, inputs: Sequence[Inputs]) -> dict[str, Tensor]:
        texts = [each.text for each in inputs]
        pairs = None if inputs[0].text_pair is None else [each.text_pair for each in inputs]
        rows = [fitted(encoding, self.fit) for encoding in encode(self.tokenizer, texts, pairs)]
        return stacked(rows, self.tokenizer.pad_token_id or 0)

    def length(self, inputs: Inputs) -> int:
        [encoding] = encode(self.tokenizer, [inputs.text], None if inputs.text_pair is None else [inputs.text_pair])
        return len(encoding.ids)


class TextBackbone(Backbone):
    """A language model's hidden states as Features; the key of a text is the mean of its tokens.

    Args:
        model: an encoder, a decoder or both, without a head.
        tokenizer: its own.
        fit: how texts are made to fit.
    """

    reads = ("text",)

    def __init__(self, model: PreTrainedModel, tokenizer: Tokenizer, fit: Fit) -> None:
        super().__init__()
        self.model, self.tokenizer = model, tokenizer
        self.width = model.config.hidden_size
        self.longest = fit.longest
        self.pooling = "last" if _reads_forwards(model.config) else "mean"
        self.processor = TextProcessor(tokenizer, fit)
        self.typed = getattr(model.config, "type_vocab_size", 0) > 1
        if self.encoder is not model:  # what writes has no part in it, but is saved with the rest
            reading = {id(parameter) for parameter in self.encoder.parameters()}
            for parameter in model.parameters():
                parameter.requires_grad_(id(parameter) in reading and parameter.requires_grad)

    @property
    def encoder(self) -> PreTrainedModel:
        """The part that reads."""
        return self.model.get_encoder() if self.model.config.is_encoder_decoder else self.model

    def forward(self, batch: Mapping[str, Tensor]) -> Features:
        ids, attention, types = (
            rearrange(batch[name], "b n t -> (b n) t") for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        b, n, _ = batch["input_ids"].shape
        attention = torch.where(attention.sum(1, keepdim=True) > 0, attention, torch.ones_like(attention))
        further = {"token_type_ids": types} if self.typed else {}
        mask = rearrange(batch["attention_mask"].bool(), "b n t -> (b n) t")
        hidden = self._hidden(mask.any(1), input_ids=ids, attention_mask=attention, **further)
        mean = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        order = torch.arange(n, device=ids.device).expand(b, n)
        return Features(
            tokens=rearrange(hidden, "(b n) t d -> b n t d", b=b),
            mask=batch["attention_mask"].bool(),
            key=rearrange(functional.normalize(mean.float(), dim=-1), "(b n) d -> b n d", b=b),
            time=torch.stack([order, order], dim=-1).double(),
            modality=torch.full((b, n), MODALITIES.index("text"), device=ids.device),
            source=order.clone(),
        )

    def _hidden(self, read: Tensor, **tokens: Tensor) -> Tensor:
        """Hidden states of the windows (b n) that are `read`, and zeros of those that only fill up a batch."""
        if read.all() or not read.any():
            return self.encoder(**tokens).last_hidden_state
        found = self.encoder(**{name: value[read] for name, value in tokens.items()}).last_hidden_state
        return found.new_zeros(len(read), *found.shape[1:]).index_put((read,), found)

    @property
    def embedding(self) -> nn.Module:
        return self.model.get_input_embeddings()

    @property
    def blank(self) -> int:
        return blank(self.tokenizer)

    @property
    def modules_to_adapt(self) -> nn.Module:
        return self.encoder

    @property
    def layers(self) -> list[nn.ModuleList]:
        return [*stacks(self.encoder).values()]

    @property
    def looking(self) -> list[PreTrainedModel]:
        return [self.encoder]

    def save(self, folder: str | PathLike) -> None:
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def read_text_backbone(
    place: str, longest: int | None, over: str, stride: int, layers: int | Sequence[int] | None = None
) -> TextBackbone:
    """The language model at a folder or hub name, with all of its layers unless told which.

    Raises:
        InputError: nothing there, no language model, or no tokenizer beside it.
        ValueError: layers that are not there.
    """
    config = _config(place)
    with quiet():
        try:
            model = AutoModel.from_pretrained(place, config=config, dtype=torch.float32)
            tokenizer = AutoTokenizer.from_pretrained(place)
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise InputError(f"{place}: cannot be loaded ({_line(error)}); give the folder of a saved model") from None
    if layers is not None:
        model = with_layers(model, layers, ("encoder",))
    most = min(_positions(config), tokenizer.model_max_length)
    longest = min(256, most) if longest is None else longest
    if longest > most:
        raise InputError(f"{place}: reads at most {most} tokens, longest asks for {longest}; set longest={most}")
    return TextBackbone(model, tokenizer, Fit(longest=longest, over=over, stride=stride))


def _config(place: str) -> PreTrainedConfig:
    try:
        config = AutoConfig.from_pretrained(place)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{place}: no backbone ({_line(error)}); give nano, minilm, an image tower (timm/resnet18), or the folder "
            "or hub name of a language model"
        ) from None
    known = {*MODEL_FOR_MASKED_LM_MAPPING_NAMES, *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES}
    if config.model_type not in known and not config.is_encoder_decoder:
        raise InputError(f"{place}: a {config.model_type} model reads no text; give a language model such as BERT")
    return config


def _reads_forwards(config: PreTrainedConfig) -> bool:
    return config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and (
        config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or getattr(config, "is_decoder", False)
    )


def _positions(config: PreTrainedConfig) -> int:
    """Tokens that the model has positions for; RoBERTa's numbering begins behind the padding token."""
    most = getattr(config, "max_position_embeddings", None) or 1 << 30
    return most - 2 if config.model_type in ("roberta", "xlm-roberta", "camembert") else most


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
