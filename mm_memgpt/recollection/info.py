"""How much a memory holds.

Notable: counted from the archive, so it says what is committed; slots and times are the bank's.
"""

from typing import Any

from mm_memgpt.memory.store import Store
from mm_memgpt.memory.where import Where
from mm_memgpt.types import MODALITIES


def info(address: str, store: Store, capacity: int) -> dict[str, Any]:
    """Address, items, sources, items a modality, facts, slots in use and at most, seconds, fingerprint, version."""
    archive, state = store.archive, store.state()
    used = state.items[0] > 0
    return {
        "address": address,
        "items": len(archive),
        "sources": len(archive.sources()),
        "modalities": {modality: len(archive.find(Where(modality=modality))) for modality in MODALITIES},
        "facts": len(archive.find(Where(facts=True))),
        "slots": int(used.sum()),
        "capacity": capacity,
        "start": float(state.time[0, used, 0].min()) if used.any() else 0.0,
        "end": end(store),
        "fingerprint": archive.fingerprint,
        "version": archive.version,
    }


def end(store: Store) -> float:
    """The last second on the memory's clock; 0 where it is empty."""
    state = store.state()
    used = state.items[0] > 0
    return float(state.time[0, used, 1].max()) if used.any() else 0.0
