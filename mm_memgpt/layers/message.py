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

    Raises ValueError where heads do not divide width.
    """

    def __init__(self, width: int, heads: int, edge_width: int) -> None:
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
        return self.output(rearrange(share.to(value.dtype) @ value, "b h i w -> b i (h w)"))

    def forward(self, x: Tensor, edges: Tensor, adjacency: Tensor) -> Tensor:
        return x + self.messages(x, edges, adjacency)
