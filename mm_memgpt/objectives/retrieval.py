"""Retrieval: what is asked finds what is right among all that the batch holds, named wrong ones included.

Notable: only what is wrong counts against a question: a second right answer of it, though it is another row's, is left
out of its sum, and a text that several rows share stands in the batch once.

b asked   c to be found, all different   k key width
"""

import torch
from torch import Tensor
from torch.nn import functional


def retrieval_loss(
    asked: Tensor, found: Tensor, right: Tensor, counts: Tensor, scale: Tensor | float, symmetric: bool = False
) -> Tensor:
    """InfoNCE, L = -mean log [exp(s q_i f_i) / sum_j exp(s q_i f_j)] (arXiv:1807.03748 eq. 4; arXiv:2004.04906 eq. 2).

    Args:
        asked: (b, k) unit length.
        found: (c, k) unit length.
        right: (b) place in `found` of the one that is right.
        counts: (b, c) False where one is no wrong answer; the right one counts always.
        scale: s, what cosines are multiplied by.
        symmetric: whether what is found looks for who asked, too, and half of the loss is that one's.
    """
    rows = torch.arange(len(asked), device=asked.device)
    own = torch.zeros_like(counts).index_put((rows, right), torch.ones_like(right, dtype=torch.bool))
    logits = scale * (asked.float() @ found.float().T)
    logits = logits.masked_fill(~(counts | own), -torch.inf)
    loss = functional.cross_entropy(logits, right)
    if not symmetric:
        return loss
    back = logits[:, right].T  # (b, b): the right one of each row, against all who ask
    same = (right.unsqueeze(0) == right.unsqueeze(1)) & ~torch.eye(len(right), dtype=torch.bool, device=right.device)
    return (loss + functional.cross_entropy(back.masked_fill(same, -torch.inf), rows)) / 2
