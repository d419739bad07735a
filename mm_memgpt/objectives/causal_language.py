"""Causal language modelling: predict each next token of a text from those before it.

Notable: it is `caption_loss` without smoothing; a caption is a text that has a photo before it.

b texts   t tokens   v vocabulary
"""

from torch import Tensor, nn

from mm_memgpt.objectives.captioning import caption_loss


def causal_language_loss(logits: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean cross-entropy of the next token, -1/n sum log p(x_i | x_<i), over the real ones.

    Args:
        logits: (b, t, v).
        input_ids: (b, t) the texts themselves.
        attention_mask: (b, t) True, or 1, where a token is real.
    """
    return caption_loss(logits, input_ids, attention_mask)


class CausalLanguage:
    """The loss of a causal language model on a batch of texts."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": causal_language_loss(model(**batch).logits, batch["input_ids"], batch["attention_mask"])}
