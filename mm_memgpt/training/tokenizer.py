"""The one tokenizer: byte-level BPE, trained once on all the training text.

Notable: a later change of the tokenizer breaks the weights, so its special tokens are fixed here, and any text comes
back from it unchanged, because its alphabet is bytes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from mm_memgpt.datasets.files import open_file, reason
from mm_memgpt.types import InputError

SPECIAL = ("<s>", "</s>", "<pad>", "<image>", "<audio>", "<text>", "<user>", "<assistant>")
"""Begin, end and padding are 0, 1 and 2, as the presets say; the rest is kept for prompts of several modalities."""

TEXT_COLUMNS = (
    "captions",
    "text",
    "title",
    "article",
    "summary",
    "turns",
    "question",
    "context",
    "contexts",
    "long_answer",
    "sentence",
    "intent",
    "snippet",
)
"""Columns that hold text, alone or as a list."""


def train_tokenizer(files: Iterable[str | Path], output: str | Path, vocab: int = 8192) -> PreTrainedTokenizerFast:
    """Trains on every caption and text of the files and saves the tokenizer's folder.

    Raises:
        InputError: a file cannot be read or has no text, or vocab has no room for the bytes and special tokens.
    """
    least = 256 + len(SPECIAL)
    if vocab < least:
        raise InputError(f"vocab {vocab} is below the {least} bytes and special tokens; try --vocab 8192")
    columns = {file: text_columns(file) for file in files}
    tokenizer = train_on(_texts(columns), vocab)
    tokenizer.save_pretrained(output)
    return tokenizer


def train_on(texts: Iterable[str], vocab: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `vocab` tokens from strings; every text begins with <s> when encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    begin = SPECIAL[0]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, 0)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        pad_token=SPECIAL[2],
        clean_up_tokenization_spaces=False,
    )


def text_columns(file: str | Path) -> list[str]:
    """Those of TEXT_COLUMNS that a Parquet file has, as strings or lists of strings.

    Raises:
        InputError: the file is missing, no Parquet file, or has none of them.
    """
    with open_file(file) as opened:
        try:
            schema = pq.read_schema(opened)
        except pa.ArrowException as error:
            raise InputError(f"{file}: not a Parquet file ({reason(error)}); give files with text columns") from None
    kinds = {name: schema.field(name).type for name in TEXT_COLUMNS if name in schema.names}
    flat = {name: kind.value_type if types.is_list(kind) else kind for name, kind in kinds.items()}
    if columns := [name for name, kind in flat.items() if types.is_string(kind) or types.is_large_string(kind)]:
        return columns
    raise InputError(f"{file}: none of its columns {', '.join(schema.names)} is text; known: {', '.join(TEXT_COLUMNS)}")


def _texts(columns: dict[str | Path, list[str]]) -> Iterator[str]:
    """Every string of the named columns of Parquet files, some rows at a time."""
    for file, names in columns.items():
        for batch in pq.ParquetFile(file).iter_batches(columns=names, batch_size=256):
            for value in (v for column in batch.columns for v in column.to_pylist()):
                yield from [value] if isinstance(value, str) else filter(None, value or [])
