"""Our fusion in a PyTorch model of your own: an answer that takes both what is seen and what is heard.

Each example is an image of 6 tokens and a sound of 4. The answer is whether the two agree, so neither alone tells it.

python demos/fusion_api.py
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from mm_memgpt import MultimodalFuser

WIDTH, CLASSES = 32, 3


class Agree(nn.Module):
    """Your own towers (here linear), our fusion, your own head."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.audio = nn.Linear(12, WIDTH), nn.Linear(7, WIDTH)
        self.fuser = MultimodalFuser(WIDTH, heads=4)
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 2))

    def forward(self, seen: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        fused = self.fuser({"image": self.image(seen), "audio": self.audio(heard)})  # readout (b, d)
        return self.head(fused.readout)


def examples(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images (b, 6, 12) and sounds (b, 4, 7), a class in each, and whether the classes agree (b,)."""
    one, other = torch.randint(CLASSES, (2, batch))
    other = torch.where(torch.rand(batch) < 0.5, one, other)
    seen, heard = 0.3 * torch.randn(batch, 6, 12), 0.3 * torch.randn(batch, 4, 7)
    seen[torch.arange(batch), :, one] += 1
    heard[torch.arange(batch), :, other] += 1
    return seen, heard, (one == other).long()


def main(steps: int = 150) -> None:
    """Trains the model and prints the share of right answers on the way."""
    torch.manual_seed(0)
    model, (seen, heard, agree) = Agree(), examples(500)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(steps + 1):
        if step % 50 == 0:
            right = (model(seen, heard).argmax(-1) == agree).float().mean()
            print(f"step {step:3}: {right:.0%} right")
        *inputs, target = examples(64)
        optimiser.zero_grad()
        cross_entropy(model(*inputs), target).backward()
        optimiser.step()


if __name__ == "__main__":
    main()
