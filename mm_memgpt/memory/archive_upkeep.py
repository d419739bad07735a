"""Upkeep of a memory's table: few files, indexes that know the newest rows, and no bytes of what was deleted.

Notable: files of FULL rows are left alone, so upkeep costs the same for ever. An index keeps words and keys of rows
that were deleted, and with stable row numbers compaction does not renew it (measured: the words stay in the folder), so
`purge` builds every index anew, in one commit each, which a kill cannot leave half done. Files of a writer that was
killed belong to no version; only where all writers take turns may they be removed, for elsewhere they may be another's
that is about to commit.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lancedb.table import LanceTable

FULL = 4096
"""Rows of a file that is not merged with others any more."""

FROM = 20_000
"""Rows from which an index of keys pays; below, all keys are compared."""

KEPT = timedelta(minutes=10)
"""Older versions that a reader may still be at, until upkeep removes them."""


def optimize(table: "LanceTable") -> None:
    """Merges small files, brings the indexes up to date and removes what older versions alone need."""
    dataset = table.to_lance()
    dataset.optimize.compact_files(target_rows_per_fragment=FULL)
    dataset.optimize.optimize_indices()
    table.checkout_latest()
    if not _indexes(table, "text"):  # its maker was killed before it made one
        index_words(table)
    index_keys(table)
    table.to_lance().cleanup_old_versions(KEPT)


def purge(table: "LanceTable", alone: bool) -> None:
    """Rewrites what holds deleted rows, builds the indexes anew and removes every older version.

    alone: whether no other writer can be at work.
    """
    table.to_lance().optimize.compact_files(
        target_rows_per_fragment=FULL, materialize_deletions=True, materialize_deletions_threshold=0.0
    )
    table.checkout_latest()
    index_words(table)
    index_keys(table, anew=True)
    table.to_lance().cleanup_old_versions(timedelta(0), delete_unverified=alone)


def index_words(table: "LanceTable") -> None:
    """Builds the index of the words."""
    from lancedb.index import FTS

    table.create_index("text", config=FTS(with_position=False))


def index_keys(table: "LanceTable", *, anew: bool = False) -> None:
    """Builds the index of the keys where it pays and there is none, or in place of the one there is."""
    from lancedb.index import IvfSq

    there = _indexes(table, "key")
    if table.count_rows() >= FROM:
        if anew or not there:
            table.create_index("key", config=IvfSq(distance_type="cosine"))
    elif anew:
        for name in there:
            table.drop_index(name)


def _indexes(table: "LanceTable", column: str) -> list[str]:
    return [index.name for index in table.list_indices() if index.columns == [column]]
