"""Items as rows of a table and back, and the table's columns with what a memory says about itself.

Notable: numbers and facts lie as they are, without compression, so that what is removed can be searched for in the
files; the columns of facts are null in the rows of all other items.

n items   p tokens per item   d width   k key width
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from mm_memgpt.memory.item import Item, Stored
from mm_memgpt.types import MODALITIES, Fact

FORMAT = "mm_memgpt.memory"
"""Metadata of the table that marks it as a memory; its value is the version of the columns."""

SCALARS = ("id", "source", "modality", "start", "end", "created", "text", "preview", "digest")
"""Columns that are fields of an item as they are."""

PLAIN = {"lance-encoding:compression": "none"}
"""Metadata of a column that lies in the files as it is."""

FACT_FIELDS = tuple(
    pa.field(name, pa.float64() if kind is float else pa.string(), metadata=PLAIN)
    for name, kind in Fact.__annotations__.items()
)
"""Columns that are fields of a fact."""


class Shape(NamedTuple):
    """Sizes of the items of a memory."""

    tokens: int
    """p"""
    width: int
    """d"""
    key_width: int
    """k"""

    def __str__(self) -> str:
        return ", ".join(f"{name}={size}" for name, size in self._asdict().items())


def columns(shape: Shape, fingerprint: str, version: int) -> pa.Schema:
    """The table's columns, and in their metadata the version, the sizes and what encoded the items."""
    text, number = pa.string(), pa.float64()
    fields = [
        *(pa.field(name, text, nullable=False) for name in ("id", "source", "modality")),
        *(pa.field(name, number, nullable=False) for name in ("start", "end", "created")),
        pa.field("key", pa.list_(pa.float16(), shape.key_width), nullable=False, metadata=PLAIN),
        pa.field("tokens", pa.list_(pa.float16(), shape.tokens * shape.width), nullable=False, metadata=PLAIN),
        pa.field("mask", pa.list_(pa.uint8(), shape.tokens), nullable=False),
        pa.field("text", text, nullable=False, metadata=PLAIN),
        pa.field("preview", pa.large_binary(), nullable=False, metadata=PLAIN),
        pa.field("digest", text, nullable=False),
        *FACT_FIELDS,
    ]
    sizes = {name: str(size) for name, size in shape._asdict().items()}
    return pa.schema(fields, metadata={FORMAT: str(version), "fingerprint": fingerprint} | sizes)


def to_rows(items: Sequence[Item], shape: Shape, schema: pa.Schema) -> pa.Table:
    """Items as rows.

    Raises:
        ValueError: an item of other sizes, another dtype or an unknown modality; or an id that comes twice.
    """
    if len({item.id for item in items}) < len(items):
        raise ValueError("an id comes twice; an item has one id, from new_id()")
    due = {
        "key": ((shape.key_width,), np.float16),
        "tokens": ((shape.tokens, shape.width), np.float16),
        "mask": ((shape.tokens,), np.bool_),
    }
    for item in items:
        if item.modality not in MODALITIES:
            raise ValueError(f"{item.source}: unknown modality {item.modality!r}; known are {', '.join(MODALITIES)}")
        for name, (sizes, dtype) in due.items():
            array = getattr(item, name)
            if (array.shape, array.dtype) != (sizes, dtype):
                raise ValueError(
                    f"{item.source}: {name} is {array.dtype} {array.shape}, "
                    f"where this memory has {dtype.__name__} {sizes}"
                )
    values = {name: pa.array([getattr(item, name) for item in items], schema.field(name).type) for name in SCALARS}
    for number, field in enumerate(FACT_FIELDS):
        of_each = [item.fact[number] if item.fact is not None else None for item in items]
        values[field.name] = pa.array(of_each, field.type)
    for name in due:
        kind = schema.field(name).type
        flat = np.stack([getattr(item, name).ravel() for item in items]).ravel()
        values[name] = pa.FixedSizeListArray.from_arrays(
            pa.array(flat.astype(kind.value_type.to_pandas_dtype())), kind.list_size
        )
    return pa.table([values[name] for name in schema.names], schema=schema)


def to_items(rows: pa.Table, shape: Shape) -> list[Stored]:
    """Rows as items, in order of their place; the rows have all columns and `_rowid`."""
    places = rows["_rowid"].to_numpy()
    scalars = {name: rows[name].to_pylist() for name in SCALARS}
    facts = to_facts(rows)
    keys, tokens, masks = (lists(rows[name]) for name in ("key", "tokens", "mask"))
    return [
        Stored(
            order=int(places[row]),
            item=Item(
                key=keys[row].copy(),
                tokens=tokens[row].reshape(shape.tokens, shape.width).copy(),
                mask=masks[row].astype(bool),
                fact=facts[row],
                **{name: values[row] for name, values in scalars.items()},
            ),
        )
        for row in np.argsort(places, kind="stable")
    ]


def to_facts(rows: pa.Table) -> list[Fact | None]:
    """The facts of rows that have FACT_FIELDS; None where a row is something else."""
    values = zip(*(rows[field.name].to_pylist() for field in FACT_FIELDS), strict=True)
    return [None if each[0] is None else Fact(*each) for each in values]


def lists(column: pa.ChunkedArray) -> np.ndarray:
    """(n, size): a column of lists of one size."""
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    flat = np.concatenate(chunks) if chunks else np.empty(0, column.type.value_type.to_pandas_dtype())
    return flat.reshape(-1, column.type.list_size)
