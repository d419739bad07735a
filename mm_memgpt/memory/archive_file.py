"""A memory as one portable file: Parquet, with what the table says about itself in the file's metadata.

Notable: written beside its place and renamed into it; pages carry checksums and the end of the file its directory, so a
file that was cut short or damaged is refused, and nothing is made of half of one. Places are numbered anew on import.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mm_memgpt.memory.archive_rows import FORMAT
from mm_memgpt.memory.whole_file import written_whole
from mm_memgpt.types import InputError

GIVE = "give a file that export wrote"


def write_file(path: str | os.PathLike, schema: pa.Schema, batches: Iterable[pa.Table]) -> None:
    """Writes rows to a file, whole or not at all.

    Raises:
        InputError: the file cannot be written; one that was there before is as it was.
    """
    path = Path(path)
    try:
        with (
            written_whole(path) as file,
            pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer,
        ):
            for batch in batches:
                writer.write_table(batch)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); "
            "give a file in a folder you may write to, with room left"
        ) from error


def read_file(path: str | os.PathLike, batch: int) -> pa.RecordBatchReader:
    """The rows of a file, some at a time; the whole file was read once before.

    Raises:
        InputError: no such file, no export of a memory, or one that is truncated or damaged.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; {GIVE}")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if FORMAT.encode() not in (file.schema_arrow.metadata or {}):
                raise InputError(f"{path}: a Parquet file, but no export of a memory; {GIVE}")
            for _ in file.iter_batches(batch):
                pass
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: truncated, or no export of a memory; {GIVE}") from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error).splitlines()[0]  # such as a page's checksum
        raise InputError(f"{path}: cannot be read ({reason}); give a whole file that export wrote") from error
    file = pq.ParquetFile(path)
    return pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(batch))
