"""What a memory still tells apart: the slots of its bank, by time, with what they came from.

Notable: the bank knows no words and no names; they are read from the archive, of each slot a few items, the newest.
"""

from mm_memgpt.memory.store import Store
from mm_memgpt.recollection.results import Moment
from mm_memgpt.types import MIXED_SOURCE, MODALITIES

TEXTS = 5
"""Items of a slot whose words and picture are shown: the newest."""


def timeline(store: Store) -> list[Moment]:
    """A moment for each used slot, by the time at which it begins."""
    state, ledger, names = store.state(), store.ledger, list(store.names)
    used = (state.items[0] > 0).nonzero()[:, 0].tolist()
    members = {slot: tuple(ledger.members(slot)) for slot in used}
    shown = [item_id for slot in used for item_id in members[slot][-TEXTS:]]
    rows = {row.item.id: row.item for row in store.archive.get(shown)}
    moments = []
    for slot in used:
        items = [rows[item_id] for item_id in members[slot][-TEXTS:] if item_id in rows]
        source, count = int(state.source[0, slot]), int(state.items[0, slot])
        start, end = state.time[0, slot].tolist()
        moments.append(
            Moment(
                slot=slot,
                source=None if source == MIXED_SOURCE else names[source],
                modality=MODALITIES[int(state.modality[0, slot])],
                start=start,
                end=end,
                items=count,
                texts=tuple(item.text for item in items if item.text),
                merged=count > 1,
                preview=next((item.preview for item in reversed(items) if item.preview), b""),
                ids=members[slot],
                facts=tuple(item.fact for item in items if item.fact is not None),
            )
        )
    return sorted(moments, key=lambda moment: (moment.start, moment.slot))
