"""A memory in a file is the memory to the bit, in any process, and a file that is not one is refused in one line."""

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mm_memgpt.memory.bank import MemoryBank
from mm_memgpt.memory.snapshot import FORMAT
from mm_memgpt.types import InputError, MemoryState

B, S, R, P, D, K = 2, 7, 2, 3, 4, 5
SIZES = {"slots": S, "ring": R, "tokens": P, "width": D, "key_width": K}
BANK = MemoryBank(**SIZES)
METADATA = FORMAT | {name: str(size) for name, size in SIZES.items()}

DIGEST = """
import hashlib, sys
from mm_memgpt.memory.bank import MemoryBank
state = MemoryBank(slots=7, ring=2, tokens=3, width=4, key_width=5).load(sys.argv[1])
print(hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in state)).hexdigest())
"""


class Harmful:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def state(stream) -> MemoryState:
    return BANK.write(BANK.empty(B, dtype=torch.float64), stream(B, 20, P, D, K))


@pytest.fixture
def path(tmp_path, state):
    BANK.save(state, tmp_path / "memory.safetensors")
    return tmp_path / "memory.safetensors"


def test_another_process_reads_the_same_bits(state, path):
    there = subprocess.run([sys.executable, "-c", DIGEST, path], capture_output=True, text=True, check=True).stdout
    assert there.strip() == hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in state)).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_loaded_memory_goes_on_as_the_saved_one(stream, tmp_path, dtype):
    state = BANK.write(BANK.empty(B, dtype=dtype), stream(B, 20, P, D, K))
    BANK.save(state, tmp_path / "memory")
    more = stream(B, 9, P, D, K, seed=1)
    for one, other in zip(BANK.write(state, more), BANK.write(BANK.load(tmp_path / "memory"), more), strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_an_empty_memory_and_one_with_gradients_can_be_saved(stream, tmp_path):
    features = stream(B, 4, P, D, K)
    features.tokens.requires_grad_()
    for state in (BANK.empty(B), BANK.write(BANK.empty(B), features)):
        BANK.save(state, tmp_path / "memory")
        assert all(map(torch.equal, BANK.load(tmp_path / "memory"), state))


def test_saving_replaces_the_file_and_leaves_nothing_beside_it(path):
    BANK.save(BANK.empty(), path)
    assert BANK.load(path).items.shape == (1, S)
    assert os.listdir(path.parent) == [path.name]


def test_a_failed_save_leaves_the_old_memory(state, path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"memory.safetensors: cannot be written \(No space left on device\)"):
        BANK.save(BANK.empty(), path)
    assert all(map(torch.equal, BANK.load(path), state))
    assert os.listdir(path.parent) == [path.name]


def refused(path) -> str:
    """The one line with which a file is refused; it begins with the file."""
    with pytest.raises(InputError) as caught:
        BANK.load(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_what_is_no_file_is_refused(tmp_path):
    assert refused(tmp_path / "none") == "cannot be read (No such file or directory); give a file that save wrote"
    assert refused(tmp_path) == "cannot be read (Is a directory); give a file that save wrote"
    with pytest.raises(InputError, match=r"none/memory: cannot be written \(No such file or directory\); give a file"):
        BANK.save(BANK.empty(), tmp_path / "none" / "memory")


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_truncated_file_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    assert refused(path).startswith("truncated, or not a safetensors file (")


def test_a_pickle_is_refused_and_runs_nothing(state, path):
    ran = path.with_name("ran")
    harmful = pickle.dumps(Harmful(ran))
    for write in (lambda: torch.save(tuple(state), path), lambda: path.write_bytes(harmful)):
        write()
        assert refused(path).startswith("a pickle, which can run code; only safetensors are read")
    assert not ran.exists()
    pickle.loads(harmful)
    assert ran.exists(), "unpickling should have done harm"


def test_a_header_whose_length_begins_like_a_pickle_is_read(state, path):
    tensors = load_file(path)
    for note in range(512):
        save_file(tensors, path, METADATA | {"note": "." * note})
        if path.read_bytes()[:1] == b"\x80":
            break
    assert path.read_bytes()[:1] == b"\x80"
    assert all(map(torch.equal, BANK.load(path), state))


def test_safetensors_that_are_no_memory_of_this_version_are_refused(path):
    tensors = load_file(path)
    save_file(tensors, path)
    assert refused(path) == "safetensors, but not a memory; give a file that save wrote"
    save_file(tensors, path, METADATA | {"version": "9"})
    assert refused(path).startswith("format version 9, where 1 is read; read it with the mm_memgpt that wrote it")


def test_a_memory_of_another_bank_is_refused(path):
    MemoryBank(**SIZES | {"ring": 3}).save(BANK.empty(), path)
    assert refused(path) == (
        "of a bank with slots=7, ring=3, tokens=3, width=4, key_width=5, "
        "where this one has slots=7, ring=2, tokens=3, width=4, key_width=5; build the bank alike"
    )


def test_missing_unknown_and_misshapen_tensors_are_refused(path):
    tensors = load_file(path)
    for changed, reason in (
        ({name: tensor for name, tensor in tensors.items() if name != "time"}, "missing tensor time;"),
        (tensors | {"age": torch.zeros(2)}, "unknown tensor age;"),
        (tensors | {"count": tensors["count"][:, 1:].clone()}, "count of memory has shape (2, 6, 3), where (2, 7, 3)"),
        (tensors | {"time": tensors["time"].float()}, "time of memory is torch.float32, where torch.float64 is due"),
    ):
        save_file(changed, path, METADATA)
        assert refused(path).startswith(reason)
