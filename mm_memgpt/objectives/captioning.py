"""Captioning: predict each next token of a photo's sentences, with label smoothing.

b rows of text   t tokens   v vocabulary
"""

from torch import Tensor, nn
from torch.nn import functional


def caption_loss(logits: Tensor, input_ids: Tensor, attention_mask: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of the next token, (1 - e) * CE(target) + e * mean CE (arXiv:1512.00567 section 7).

    Args:
        logits: (b, t, v).
        input_ids: (b, t) the sentences themselves, begin and end token included.
        attention_mask: (b, t) 1 where a token is real.
        smoothing: e, the share of probability spread over the vocabulary.
    """
    targets = input_ids.masked_fill(attention_mask == 0, -100)[:, 1:]
    return functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), targets.flatten(), ignore_index=-100, label_smoothing=smoothing
    )


class Captioning:
    """The loss of a model on a batch, and the plain cross-entropy beside it.

    `written` is "decoder_" before an encoder-decoder, whose `input_ids` are another text.
    """

    def __init__(self, smoothing: float = 0.0, written: str = "") -> None:
        self.smoothing, self.written = smoothing, written

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = model(**batch).logits
        text, mask = (batch[f"{self.written}{name}"] for name in ("input_ids", "attention_mask"))
        plain = caption_loss(logits, text, mask)
        if not model.training:
            return {"loss": plain}
        return {"loss": caption_loss(logits, text, mask, self.smoothing), "cross_entropy": plain.detach()}
