"""The fold of an archive as a file beside its table, so that opening folds only what came since.

Notable: it is a cache and nothing more: one that is missing, damaged, of another bank or of rows that are no longer
there is as good as none; its lineage changes whenever something is taken out, so that whoever holds an older fold
notices.

s slots
"""

import json
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.beside import Beside
from mm_memgpt.memory.folded import Folded
from mm_memgpt.memory.ledger import ROW, Ledger
from mm_memgpt.memory.sources import Sources
from mm_memgpt.types import MemoryState

NAME = "fold"
VERSION = 1
"""Rises when what is written changes."""
DIGEST = 32
"""Bytes at the beginning that say whether the others are as they were written."""


@dataclass(frozen=True)
class Cached:
    """What a cache holds."""

    folded: Folded
    lineage: str


class Cache:
    """The file for one bank; other banks' caches are none to it."""

    def __init__(self, files: Beside, bank: MemoryBank) -> None:
        self.files, self.bank = files, bank

    def stamp(self) -> tuple | None:
        """Something that changes whenever the cache is written; None where there is none."""
        return self.files.stamp(NAME)

    def save(self, folded: Folded, lineage: str) -> None:
        """Writes a fold, whole or not at all.

        Raises:
            InputError: it cannot be written.
        """
        about = {
            "format": VERSION,
            "bank": str(self.bank.geometry),
            "lineage": lineage,
            "reached": folded.reached,
            "names": list(folded.names),
        }
        tensors = {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in folded.state._asdict().items()}
        content = save(
            tensors
            | {
                "about": np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), np.uint8),
                "rows": np.frombuffer(folded.ledger.rows.tobytes(), np.uint8),
                "slots": folded.ledger.slots(),
            }
        )
        self.files.write(NAME, blake2b(content, digest_size=DIGEST).digest() + content)

    def load(self) -> Cached | None:
        """What was saved last; None where it is missing, damaged, or of another bank."""
        content = self.files.read(NAME)
        if content is None or blake2b(content[DIGEST:], digest_size=DIGEST).digest() != content[:DIGEST]:
            return None
        try:
            tensors = load(content[DIGEST:])
            about = json.loads(tensors["about"].tobytes())
            if (about["format"], about["bank"]) != (VERSION, str(self.bank.geometry)):
                return None
            state = MemoryState(**{name: torch.from_numpy(tensors[name].copy()) for name in MemoryState._fields})
            self.bank.geometry.check_state(state)
            rows = np.frombuffer(tensors["rows"].tobytes(), ROW)
            ledger = Ledger.of(rows, tensors["slots"], self.bank.capacity)
            folded = Folded(self.bank, state, ledger, Sources(about["names"]), about["reached"])
            return Cached(folded, about["lineage"])
        except (SafetensorError, KeyError, ValueError):
            return None
