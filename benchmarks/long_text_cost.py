"""What a token of long text costs: multiply-adds, seconds and bytes, when a thousand tokens are read and a million.

Notable: seconds are those of the process, not of the clock, because the machine is shared; they are taken over the last
tokens before each mark, so a cost that grew would show; the text is a file, read as any user's is.
"""

import resource
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mm_memgpt.models.long_text import LongTextState
from mm_memgpt.models.long_text_files import Reader
from mm_memgpt.models.long_text_stream import read_file
from mm_memgpt.training.corpus import read_documents
from mm_memgpt.training.skipped import Skipped

MARKS = (1_000, 10_000, 100_000, 1_000_000)
"""Tokens read."""

LATELY = 2_000
"""Tokens before a mark over which seconds are taken, those of the first mark over all of them."""


def cost(reader: Reader, arguments: Namespace, longest: int, whole: bool) -> dict[str, Any]:
    """Multiply-adds a token, and at each mark up to `longest` the seconds a token and the bytes of the state.

    Args:
        reader: a model and its tokenizer.
        arguments: of the command line.
        longest: tokens that are read.
        whole: whether everything is kept from here on.
    """
    counted = {"multiply_adds": multiply_adds(reader), "parameters": parameters(reader)}
    if whole:
        reader.model.reads = replace(reader.model.reads, window=None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "novels.txt"
        write_novels(file, arguments, longest)
        return counted | {"marks": list(marks(reader, file, longest))}


def marks(reader: Reader, file: Path, longest: int) -> Iterator[dict[str, Any]]:
    """What reading costs at each mark."""
    wanted = [mark for mark in MARKS if mark <= longest]
    done, clock = 0, [(0, time.process_time())]
    for passage in read_file(reader, file):
        done += passage.loss.numel()
        clock.append((done, time.process_time()))
        while clock[0][0] < done - LATELY:
            clock.pop(0)
        if done >= wanted[0]:
            (first, began), (last, ended) = clock[0], clock[-1]
            yield {
                "tokens": wanted.pop(0),
                "milliseconds": 1000 * (ended - began) / (last - first),
                "state": size(passage.state),
                "process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
            print(f"{done} tokens read", file=sys.stderr, flush=True)
            if not wanted:
                return


def size(state: LongTextState) -> int:
    """Bytes of all that is known of a text."""
    return sum(each.numel() * each.element_size() for each in state.tensors())


def parameters(reader: Reader) -> int:
    """How many numbers the model has."""
    return sum(parameter.numel() for parameter in reader.model.parameters())


@torch.no_grad()
def multiply_adds(reader: Reader) -> float:
    """Of a token, behind a text that fills the window and the bank; those of the choice of slots are added by hand."""
    model, generator = reader.model, torch.Generator().manual_seed(0)
    reads, words = model.reads, len(reader.tokenizer)
    state, before = model.begin(), 4096
    for begin in range(0, before + reads.segment, reads.segment):
        ids = torch.randint(3, words, (1, reads.segment), generator=generator)
        place = (begin + torch.arange(reads.segment).unsqueeze(0)) // 20
        if begin < before:
            _, state = model.read(state, ids, place)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.read(state, ids, place)
    counted = counter.get_total_flops() / 2
    if reads.reads_bank:  # an item is compared with all slots three times, by products that the counter does not see
        written = reads.items if reads.unit == "word" else int(place.unique().numel())
        counted += 3 * written * reads.slots * reads.key_width
    return counted / reads.segment


def write_novels(file: Path, arguments: Namespace, tokens: int) -> None:
    """The novels one after another, as often as so many tokens need."""
    path = arguments.data / "text" / "books" / "val.parquet"
    documents = read_documents([str(path)], "text", Skipped(arguments.output / "skipped.jsonl"))
    novels = "\n".join(sentence for each in documents for sentence in each.sentences)
    times = 1 + 6 * tokens // len(novels)  # a token is less than six characters
    with open(file, "w", encoding="utf-8") as whole:
        for _ in range(times):
            whole.write(novels + "\n\n")
