"""Learning vectors of entities: what follows head and relation against what does not, all entities or some drawn ones.

Notable: the tails of one head and relation are scored together, which is what makes 1-to-N training cheap; entities are
drawn for a whole batch at a time, so that they too are one matrix product, and none counts against a triple that holds.

b queries   k tails of all of them   c candidates   n entities
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

KNOWN = -1e9
"""Score of a candidate that is right, where it stands among the wrong ones."""


class OneToAll(nn.Module):
    """Cross-entropy of each tail among all entities, or among drawn ones, as if those were all (arXiv:1806.07297).

    Each of a query's tails is held against the wrong ones alone. Queries count alike, whatever the number of their
    tails (arXiv:1707.01476).

    Args:
        drawn: c; None takes all entities.
        regularisation: weight of the cubed moduli of all that is scored, N3 (arXiv:1806.07297, equation 5).
        dropout: of the queries.
    """

    def __init__(self, drawn: int | None = None, regularisation: float = 0.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.drawn, self.regularisation, self.dropout = drawn, regularisation, dropout

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch of head, relation (b), tail and the row it belongs to, owner (k), to its loss."""
        share = _shares(batch)
        right, wrong, parts = _scores(model, batch, self.drawn, self.dropout)
        if self.drawn is not None:
            wrong = wrong + math.log(model.entities / wrong.shape[1])
        rest = wrong.logsumexp(-1)[batch["owner"]]  # (k)
        loss = ((torch.logaddexp(rest, right) - right) * share).sum()
        outputs = {"loss": loss}
        if self.regularisation > 0:
            head, relation, tail = (model.moduli(part).pow(3).sum(-1) for part in parts)
            outputs["n3"] = head.mean() + relation.mean() + (tail * share).sum()
            outputs["loss"] = loss + self.regularisation * outputs["n3"]
        return outputs


class SelfAdversarial(nn.Module):
    """Each tail against drawn entities, the more an entity counts the higher it scores (arXiv:1902.10197, equation 5):

        -log sigmoid(margin + s) - sum_i p_i log sigmoid(-margin - s_i),   p = softmax(temperature s_i)

    where s is a negative distance, and p is held fixed.

    Args:
        drawn: c.
        margin: what distances are held against; of inner products, 0.
        temperature: sharpness of p; 0 counts all alike.
        dropout: of the queries.
    """

    def __init__(self, drawn: int, margin: float = 9.0, temperature: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.drawn, self.margin, self.temperature, self.dropout = drawn, margin, temperature, dropout

    def forward(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """As `OneToAll.forward`."""
        right, wrong, _ = _scores(model, batch, self.drawn, self.dropout)
        weight = (self.temperature * wrong).detach().softmax(-1)
        against = -(weight * functional.logsigmoid(-self.margin - wrong)).sum(-1)  # (b)
        towards = -functional.logsigmoid(self.margin + right)  # (k)
        return {"loss": ((towards * _shares(batch)).sum() + against.mean()) / 2}


def _shares(batch: dict[str, Tensor]) -> Tensor:
    """(k) share of each tail in the batch: that of its query, parted among the query's tails."""
    tails = torch.bincount(batch["owner"], minlength=len(batch["head"]))
    return 1 / (tails[batch["owner"]] * len(tails))


def _scores(
    model: nn.Module, batch: dict[str, Tensor], drawn: int | None, dropout: float
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Scores of right tails (k) and of candidates (b, c), where right ones are KNOWN, in fp32, and the vectors they are
    made of. Candidates are drawn without putting back."""
    head, relation, tail = model.entity(batch["head"]), model.relation(batch["relation"]), model.entity(batch["tail"])
    query = functional.dropout(model.join(head, relation), dropout, model.training)
    right = model.compare_each(query[batch["owner"]], tail).float()
    owner, place = batch["owner"], batch["tail"]
    entities = model.entity.weight
    if drawn is not None and drawn < len(entities):
        chosen = torch.randperm(len(entities), device=place.device)[:drawn]
        where = torch.full((len(entities),), -1, device=place.device).scatter_(
            0, chosen, torch.arange(drawn, device=place.device)
        )
        is_drawn = where[place] >= 0
        owner, place, entities = owner[is_drawn], where[place[is_drawn]], model.entity(chosen)
    scores = model.compare(query, entities).float()  # (b, c)
    known = torch.zeros_like(scores, dtype=torch.bool).index_put_(
        (owner, place), torch.tensor(True, device=place.device)
    )
    return right, scores.masked_fill(known, KNOWN), (head, relation, tail)
