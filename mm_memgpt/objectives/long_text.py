"""Reading on: predict each next token of a long stretch, segment by segment, with the state carried on.

Notable: gradients flow back through the state for so many segments and no further (truncated back-propagation), so what
is written learns from what is read of it later; beside the loss stands that of the second half of the stretch, where
there is most to remember.

b stretches   t tokens
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ReadingOn:
    """The loss of a reader of long text on a batch of stretches.

    Args:
        through: segments that gradients flow back through.
    """

    def __init__(self, through: int) -> None:
        self.through = through

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        ids, size = batch["input_ids"], model.reads.segment
        state, losses = model.begin(len(ids)), []
        for number, begin in enumerate(range(0, ids.shape[1], size), start=1):
            part = ids[:, begin : begin + size]
            logits, state = model.read(state, part, batch["place"][:, begin : begin + size])
            losses.append(functional.cross_entropy(logits.float().flatten(0, 1), part.flatten(), reduction="none"))
            if number % self.through == 0:
                state = model.detach(state)
        half = len(losses) // 2
        return {"loss": torch.cat(losses).mean(), "second_half": torch.cat(losses[half:]).mean().detach()}
