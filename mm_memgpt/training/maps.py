"""What frozen trunks make of photos and sounds, computed once and kept on disk as fp16.

Notable: files are mapped, not loaded, so several runs share one copy; a folder bears the print of the weights, so no
map is read beside another trunk; it is written under another name first, so a part that was cut short is never taken
for a whole one, and two runs may begin at once.

n rows   m maps of a row, one a piece   c channels   h w map cells   t samples
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mm_memgpt.types import InputError, Sample

BATCH = 32
"""Pieces that a trunk is given at a time."""

ROWS = "rows.json"


class Piece(NamedTuple):
    """What a trunk perceives at a time, and its start and end in seconds from the row's beginning."""

    content: Any
    time: tuple[float, float] = (0.0, 0.0)


class Sense(Protocol):
    """What turns samples into maps, in one view or several."""

    views: tuple[str, ...]

    def pieces(self, sample: Sample, view: str) -> list[Piece]:
        """The pieces of a sample. Raises InputError where it has none."""

    def perceive(self, contents: list[Any]) -> Tensor:
        """The maps (m, c, h, w) of as many pieces."""


class Maps:
    """A folder that `keep` wrote: the maps of n rows, and what people wrote about each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = json.loads((folder / ROWS).read_text(encoding="utf-8"))
        self.captions = [tuple(each) for each in listed["captions"]]
        self.broken: dict[str, str] = listed["broken"]
        self.times: dict[str, list[list[list[float]]]] = listed["times"]
        self.words: list[list[tuple[str, float, float]]] = listed.get("words", [])
        self.begins = {
            view: np.cumsum([0, *(len(each) for each in times)]).tolist() for view, times in self.times.items()
        }
        self.arrays: dict[str, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "arrays": {}}

    def __len__(self) -> int:
        return len(self.captions)

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return list(self.times)

    def array(self, view: str) -> np.ndarray:
        """The maps of all rows, one after another, (all, c, h, w) fp16, mapped."""
        if view not in self.arrays:
            self.arrays[view] = np.load(self.folder / f"{view}.npy", mmap_mode="r")
        return self.arrays[view]

    def row(self, number: int, view: str = "plain") -> tuple[Tensor, list[list[float]]]:
        """The maps of a row (m, c, h, w) fp16, and start and end of each in seconds from the row's beginning.

        Raises:
            InputError: the row could not be perceived; the message names it.
        """
        if (reason := self.broken.get(str(number))) is not None:
            raise InputError(reason)
        begin, end = self.begins[view][number : number + 2]
        return torch.from_numpy(np.array(self.array(view)[begin:end])), self.times[view][number]


def keep(folder: Path, rows: Sequence[Sample], sense: Callable[[], Sense], count: int | None = None) -> Maps:
    """The maps of the first `count` rows, from the folder or, the first time, computed into it.

    Args:
        folder: its name should tell the trunk, as `fingerprint` does.
        rows: asked for its samples only the first time.
        sense: makes what perceives them, likewise.
        count: all rows where None.

    Raises:
        InputError: the folder holds another number of rows.
    """
    count = len(rows) if count is None else count
    if not (folder / ROWS).exists():
        unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
        unfinished.mkdir(parents=True)
        try:
            _compute(unfinished, rows, count, sense())
            if not (folder / ROWS).exists():  # what lies there is not whole
                shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # another run was first: its maps are the same
                unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    maps = Maps(folder)
    if len(maps) != count:
        raise InputError(f"{folder}: holds the maps of {len(maps)} rows, and there are {count}; remove it")
    return maps


def fingerprint(module: nn.Module, settings: Any) -> str:
    """Twelve digits that tell a trunk's weights and settings (a dataclass or plain values) from all others."""
    plain = asdict(settings) if is_dataclass(settings) else settings
    digest = hashlib.sha256(repr(plain).encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


@torch.inference_mode()
def _compute(folder: Path, rows: Sequence[Sample], count: int, sense: Sense) -> None:
    files = {view: _Growing(folder / f"{view}.npy", sense.perceive) for view in sense.views}
    times: dict[str, list[list[tuple[float, float]]]] = {view: [] for view in sense.views}
    captions, words, broken = [], [], {}
    for number in range(count):
        try:
            sample = rows[number]
            found = {view: sense.pieces(sample, view) for view in sense.views}
        except InputError as error:
            broken[number], found = str(error), {view: [] for view in sense.views}
        captions.append([] if number in broken else sample.captions)
        words.append([] if number in broken else sample.words)
        for view, pieces_ in found.items():
            files[view].add([piece.content for piece in pieces_])
            times[view].append([piece.time for piece in pieces_])
    for file in files.values():
        file.close()
    listed = {"captions": captions, "words": words, "broken": broken, "times": times}
    (folder / ROWS).write_text(json.dumps(listed, ensure_ascii=False), encoding="utf-8")


class _Growing:
    """An .npy file whose first axis grows: numpy pads the header so that it can be written again in place."""

    def __init__(self, path: Path, perceive: Callable[[list[Any]], Tensor]) -> None:
        self.path, self.perceive = path, perceive
        self.waiting: list[Any] = []
        self.shape: tuple[int, ...] = (0,)
        self.file: BinaryIO = open(path, "wb")  # noqa: SIM115  close() does it
        self._header()

    def add(self, contents: list[Any]) -> None:
        self.waiting += contents
        while len(self.waiting) >= BATCH:
            self._write(self.waiting[:BATCH])
            del self.waiting[:BATCH]

    def close(self) -> None:
        if self.waiting:
            self._write(self.waiting)
        self.file.seek(0)
        self._header()
        self.file.close()

    def _write(self, contents: list[Any]) -> None:
        maps = self.perceive(contents).half().cpu().contiguous().numpy()
        if self.shape == (0,):
            self.file.seek(0)
            self.shape = (0, *maps.shape[1:])
            self._header()
        self.shape = (self.shape[0] + len(maps), *maps.shape[1:])
        self.file.write(maps.tobytes())

    def _header(self) -> None:
        layout = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float16)), "fortran_order": False}
        np.lib.format.write_array_header_1_0(self.file, layout | {"shape": self.shape})
