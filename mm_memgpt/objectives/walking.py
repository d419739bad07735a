"""Walking a graph: the mass that a question sends out is to end at an answer.

Notable: learned from answers alone, of any walks that end there; where the paths are known, they may be asked for too.

b questions   h hops   n entities
"""

import torch
from torch import Tensor, nn


def answer_loss(share: Tensor, answers: Tensor, owner: Tensor, questions: int) -> Tensor:
    """-log P(any of the answers), the mean over the questions.

    Args:
        share: (n,) of the mass that ends at each entity.
        answers: (n,) True for an answer.
        owner: (n,) whose entity it is.
        questions: how many there are.
    """
    right = torch.zeros(questions, dtype=share.dtype, device=share.device).index_add(0, owner, share * answers)
    return -right.clamp(min=torch.finfo(share.dtype).tiny).log().mean()


def path_loss(weights: Tensor, length: Tensor, path: Tensor, total: Tensor) -> Tensor:
    """-log P(the relations of the known path), each a walk of so many; the mean over the questions that have one.

    Args:
        weights: (b, h, r) of the relations at each hop.
        length: (b, h) of walks of 1, 2, ... hops.
        path: (b, h) numbers of relations, -1 behind the last; a question without a path has only these.
        total: (b,) mass of all walks.
    """
    real = path >= 0
    least = torch.finfo(weights.dtype).tiny  # picked before the logarithm, whose gradient at 0 would spoil the rest
    taken = weights.gather(-1, path.clamp(min=0).unsqueeze(-1)).squeeze(-1).clamp(min=least).log()
    hops = real.sum(-1)
    asked = length.gather(-1, (hops - 1).clamp(min=0).unsqueeze(-1)).squeeze(-1).clamp(min=least).log()
    each = total.log() - taken.masked_fill(~real, 0).sum(-1) - asked
    return each[hops > 0].sum() / (hops > 0).sum().clamp(min=1)


class Walking:
    """The loss of a reader of graph questions.

    Args:
        paths: weight of the loss on known paths; 0 learns from answers alone.
    """

    def __init__(self, paths: float = 0.0) -> None:
        self.paths = paths

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        reading, sent = model.walk(batch)
        questions = len(batch["start"])
        share = sent.at(batch["owner"])
        loss = answer_loss(share, batch["answers"], batch["owner"], questions)
        if self.paths == 0:
            return {"loss": loss.float()}
        known = path_loss(reading.weights.double(), reading.length.double(), batch["path"], sent.total)
        return {"loss": (loss + self.paths * known).float(), "answer": loss.float(), "path": known.float()}
