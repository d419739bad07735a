"""How deleted bytes leave a table's files, not only its view.

Notable: an index keeps words and keys of rows that were deleted, and with stable row numbers compaction does not renew
it: every index is dropped and built anew; then the old files go, which nothing refers to any more. Measured: without
the new indexes the words stay in the folder.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lancedb.table import LanceTable


def purge(table: "LanceTable") -> None:
    """Rewrites what holds deleted rows, builds the indexes anew and removes every older version."""
    from lancedb.index import FTS

    dataset = table.to_lance()
    dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)
    table.checkout_latest()
    for index in list(table.list_indices()):
        table.drop_index(index.name)
    table.create_index("text", config=FTS(with_position=False))
    table.optimize(cleanup_older_than=timedelta(0))
    table.checkout_latest()
