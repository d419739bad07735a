"""How the benchmark's models learn from cached maps: by the package's own loop, or by Hugging Face's defaults.

Notable: which photo, which view and which order come next depends on the seed and the place alone, so every row of the
package's recipe sees the same photos; a photo gives all of its sentences at a time, so its map is read once for them.

n photos   c channels   h w map cells   t tokens
"""

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments

from benchmarks.features import Part
from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.training.examples import PadText
from mm_memgpt.training.recipe import Optimiser
from mm_memgpt.training.trainer import RecipeTrainer
from mm_memgpt.words import sentence

SMOOTHING = 0.1
OPTIMISER = Optimiser(epochs=3, batch=8, rate=5e-4, gate_rate=1, warmup=0.05, precision="bf16")
"""Of the rows of the package's recipe (`recipes/captions.yaml`), over three epochs."""

STOCK_RATE = 1e-4
STOCK_BATCH = 8
"""Of Hugging Face's recipe: the Trainer's AdamW without weight decay or warm-up, linear to zero, 8 sentences a step."""


def token_rows(tokenizer: PreTrainedTokenizerFast, captions: Sequence[Sequence[str]]) -> list[list[list[int]]]:
    """Each photo's sentences as token numbers, without begin and end."""
    flat = [sentence(caption) for each in captions for caption in each]
    rows = iter(tokenizer(flat, add_special_tokens=False)["input_ids"] if flat else [])
    return [[next(rows) for _ in each] for each in captions]


class Photos(Dataset):
    """The photos of all epochs in a row, each with all of its sentences, in the form the package's loop takes."""

    def __init__(self, part: Part, tokenizer: PreTrainedTokenizerFast, epochs: float, seed: int) -> None:
        self.views, self.seed = part.views, seed
        begin, end = [tokenizer.bos_token_id], [tokenizer.eos_token_id]
        self.text = [[begin + ids + end for ids in rows] for rows in token_rows(tokenizer, part.captions)]
        self.length = round(epochs * len(self.text))

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        epoch, place = divmod(index, len(self.text))
        row = np.random.default_rng((self.seed, epoch)).permutation(len(self.text))[place]
        view = random.Random(f"{self.seed}:{index}").choice(self.views)
        return {"pixel_values": _real(view[row]), "input_ids": [torch.tensor(ids) for ids in self.text[row]]}


class Pairs(Dataset):
    """Every sentence with its photo, in the form that Hugging Face's vision encoder-decoders take."""

    def __init__(self, part: Part, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        self.views, self.generator = part.views, random.Random(seed)
        rows = token_rows(tokenizer, part.captions)
        self.pairs = [(row, [*ids, tokenizer.eos_token_id]) for row, text in enumerate(rows) for ids in text]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        row, ids = self.pairs[index]
        return {"pixel_values": _real(self.generator.choice(self.views)[row]), "labels": torch.tensor(ids)}

    @staticmethod
    def collate(examples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Maps (b, c, h, w) and labels (b, t), -100 where there is none."""
        labels = pad_sequence([example["labels"] for example in examples], batch_first=True, padding_value=-100)
        return {"pixel_values": torch.stack([example["pixel_values"] for example in examples]), "labels": labels}


def _real(map_: np.ndarray) -> Tensor:
    return torch.from_numpy(map_.astype(np.float32))


def learn(
    model: nn.Module, part: Part, tokenizer: PreTrainedTokenizerFast, epochs: float, seed: int, out: Path
) -> None:
    """Trains a row by the package's loop and recipe."""
    photos = Photos(part, tokenizer, epochs, seed)
    steps = -(-len(photos) // OPTIMISER.batch)
    arguments = TrainingArguments(
        num_train_epochs=1,
        per_device_train_batch_size=OPTIMISER.batch,
        learning_rate=OPTIMISER.rate,
        max_grad_norm=OPTIMISER.clip,
        lr_scheduler_type="cosine",
        warmup_steps=round(OPTIMISER.warmup * steps),
        remove_unused_columns=False,
        **_surroundings(seed, out),
    )
    collate, objective = PadText(tokenizer.pad_token_id), Captioning(SMOOTHING)
    with _kernel():
        RecipeTrainer(
            model,
            arguments,
            data_collator=collate,
            train_dataset=photos,
            objective=objective,
            settings=OPTIMISER,
        ).train()


def learn_stock(
    model: nn.Module, part: Part, tokenizer: PreTrainedTokenizerFast, epochs: float, seed: int, out: Path
) -> None:
    """Trains a `HuggingFace` row by the library's own Trainer with its own defaults, but for the rate."""
    arguments = TrainingArguments(
        num_train_epochs=epochs,
        per_device_train_batch_size=STOCK_BATCH,
        learning_rate=STOCK_RATE,
        lr_scheduler_type="linear",
        **_surroundings(seed, out),
    )
    pairs = Pairs(part, tokenizer, seed)
    with _kernel():
        Trainer(model.model, arguments, data_collator=pairs.collate, train_dataset=pairs).train()


def _surroundings(seed: int, out: Path) -> dict[str, Any]:
    """What is the same for both loops and changes no result but by rounding."""
    return {
        "output_dir": str(out),
        "seed": seed,
        "bf16": True,
        "use_cpu": not torch.accelerator.is_available(),
        "save_strategy": "no",
        "report_to": [],
        "logging_steps": 50,
        "disable_tqdm": True,
    }


def _kernel() -> AbstractContextManager:
    """Sentences are short: on a CPU the plain attention kernel is the faster one (mm_memgpt.training.run)."""
    return nullcontext() if torch.accelerator.is_available() else sdpa_kernel(SDPBackend.MATH)
