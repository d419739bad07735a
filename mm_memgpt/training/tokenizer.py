"""The one tokenizer: byte-level BPE, trained once on all the training text.

Notable: a later change of the tokenizer breaks the weights, so its special tokens are fixed here, and any text comes
back from it unchanged, because its alphabet is bytes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from mm_memgpt.types import InputError

SPECIAL = ("<s>", "</s>", "<pad>", "<image>", "<audio>", "<text>", "<user>", "<assistant>")
"""Begin, end and padding are 0, 1 and 2, as the presets say; the rest is kept for prompts of several modalities."""


TEXT_COLUMNS = ("captions", "text", "title", "article", "summary", "turns", "question", "context", "sentence")
"""Columns that hold text, alone or as a list."""


def train_tokenizer(files: Iterable[str | Path], output: str | Path, vocab: int = 8192) -> PreTrainedTokenizerFast:
    """Trains on every caption and text of the files and saves the tokenizer's folder.

    Raises:
        InputError: a file cannot be read, or vocab has no room for the bytes and special tokens.
    """
    least = 256 + len(SPECIAL)
    if vocab < least:
        raise InputError(f"vocab {vocab} is below the {least} bytes and special tokens; try --vocab 8192")
    tokenizer = train_on(_texts(files), vocab)
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


def _texts(files: Iterable[str | Path]) -> Iterator[str]:
    """Every string of the known text columns of Parquet files, row by row."""
    for file in files:
        try:
            table = pq.ParquetFile(file)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{file}: not a Parquet file ({error}); give files with text columns") from None
        columns = [name for name in TEXT_COLUMNS if name in table.schema_arrow.names]
        if not columns:
            raise InputError(f"{file}: has none of the text columns {', '.join(TEXT_COLUMNS)}")
        for batch in table.iter_batches(columns=columns, batch_size=256):
            for value in (v for column in batch.columns for v in column.to_pylist()):
                yield from [value] if isinstance(value, str) else value or []
