"""Message passing on a small dense graph: every node attends to its neighbours, and an edge says how they relate.

Notable: dense and masked rather than sparse, since a memory has at most some dozens of slots; a node is always its own
neighbour, so no softmax is empty; the output projection starts at zero, so the layer begins as identity.

b batch   s nodes   i the node that reads, j the one it reads   d width   e edge features   h heads   w head width
"""

from math import gcd

import torch
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2
"""Negative slope of the LeakyReLU (arXiv:2105.14491, as in the authors' code and PyTorch Geometric)."""


class MessagePassing(nn.Module):
    """GATv2 with edge features (arXiv:2105.14491 eq. 7), per head:

    `e_ij = a · LeakyReLU(W_s x_i + W_t x_j + W_e r_ij)`, `x_i <- x_i + W_o Σ_j softmax_j(e_ij) W_v x_j`.

    With `edge_values` a message says, too, how the two are related, `W_v x_j + W_u r_ij` (arXiv:2009.03509 eq. 3),
    where W_u begins at zero: else an edge says how much is read, and never that it is there.

    Raises ValueError where heads do not divide width.
    """

    def __init__(self, width: int, heads: int, edge_width: int, edge_values: bool = False) -> None:
        super().__init__()
        if width % heads != 0:
            raise ValueError(f"width {width} is not divisible by heads {heads}; try heads={gcd(width, heads)}")
        self.heads = heads
        self.reader = nn.Linear(width, width, bias=False)  # W_s
        self.neighbour = nn.Linear(width, width, bias=False)  # W_t
        self.edge = nn.Linear(edge_width, width, bias=False)  # W_e
        self.value = nn.Linear(width, width, bias=False)  # W_v
        self.score = nn.Parameter(nn.init.xavier_uniform_(torch.empty(heads, width // heads)))  # a
        self.output = nn.Linear(width, width, bias=False)  # W_o
        nn.init.zeros_(self.output.weight)
        self.edge_value = None
        if edge_values:
            with torch.random.fork_rng(devices=[]):  # of one seed, all else begins as it would without
                self.edge_value = nn.Linear(edge_width, width, bias=False)  # W_u
            nn.init.zeros_(self.edge_value.weight)

    def shares(self, x: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        """softmax_j(e_ij), the share of what i receives that comes from j, of each head: (b, h, s, s).

        Of nodes x (b, s, d), over edges (b, s, s, e) where adjacency (b, s, s) is True.
        """
        pair = rearrange(self.reader(x), "b i d -> b i 1 d") + rearrange(self.neighbour(x), "b j d -> b 1 j d")
        pair = rearrange(pair + self.edge(edges), "b i j (h w) -> b i j h w", h=self.heads)
        logits = einsum(F.leaky_relu(pair, SLOPE), self.score.to(pair.dtype), "b i j h w, h w -> b h i j")
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        return logits.masked_fill(~rearrange(adjacency | itself, "b i j -> b 1 i j"), -torch.inf).softmax(-1)

    def messages(self, x: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        """What each node receives (b, s, d); the arguments are those of `shares`."""
        share = self.shares(x, edges, adjacency)
        value = rearrange(self.value(x), "b j (h w) -> b h j w", h=self.heads)
        message = share.to(value.dtype) @ value  # (b, h, i, w)
        if self.edge_value is not None:
            related = rearrange(self.edge_value.weight, "(h w) e -> h w e", h=self.heads).to(edges.dtype)
            mean = einsum(share.to(edges.dtype), edges, "b h i j, b i j e -> b h i e")
            message = message + einsum(mean, related, "b h i e, h w e -> b h i w")
        return self.output(rearrange(message, "b h i w -> b i (h w)"))

    def forward(self, x: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        return x + self.messages(x, edges, adjacency)
