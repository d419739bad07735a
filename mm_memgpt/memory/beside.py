"""Small files beside a memory's table, in a folder or an object store, and all bytes that lie at its address.

Notable: a file is there whole or not at all: a folder's is written beside its place and renamed into it, an object
store's is one object.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mm_memgpt.memory.whole_file import written_whole
from mm_memgpt.types import InputError

FOLDER = "bank"
"""Where in the memory these files lie."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables that say where an S3 of one's own is; the table reads the same ones."""


class Beside:
    """The files beside the table at an address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.folder = None if "://" in address else Path(address)
        if self.folder is None:
            self._store, root = _object_store(address)
            self._root = root.rstrip("/")

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where there is none, or none that can be read."""
        try:
            if self.folder is not None:
                return (self.folder / FOLDER / name).read_bytes()
            with self._store.open_input_stream(self._object(name)) as file:
                return file.read()
        except OSError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all.

        Raises:
            InputError: it cannot be written; one that was there before is as it was.
        """
        try:
            if self.folder is None:
                with self._store.open_output_stream(self._object(name)) as file:
                    file.write(content)
                return
            path = self.folder / FOLDER / name
            path.parent.mkdir(exist_ok=True)
            self._sweep(name)
            with written_whole(path) as file:
                file.write(content)
        except OSError as error:
            raise InputError(
                f"{self.address}: {FOLDER}/{name} cannot be written ({error.strerror or error}); "
                "free some room, or give a memory you may write to"
            ) from error

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        if self.folder is not None:
            self._sweep(name)
            (self.folder / FOLDER / name).unlink(missing_ok=True)
        elif self.stamp(name) is not None:
            self._store.delete_file(self._object(name))

    def stamp(self, name: str) -> tuple | None:
        """Something that changes when the file does, in an object store its beginning; None where there is none."""
        if self.folder is not None:
            try:
                status = os.stat(self.folder / FOLDER / name)
            except OSError:
                return None
            return status.st_mtime_ns, status.st_size, status.st_ino
        try:
            with self._store.open_input_file(self._object(name)) as file:
                return file.size(), file.read(64)  # its time is in seconds, too coarse
        except FileNotFoundError:
            return None

    def files(self) -> Iterator[BinaryIO | Any]:
        """All files at the address, the table's too, open to be read; one that goes away meanwhile is passed over."""
        if self.folder is not None:
            for place, _, names in os.walk(self.folder):
                for name in names:
                    try:
                        with open(Path(place) / name, "rb") as file:
                            yield file
                    except FileNotFoundError:
                        continue
            return
        from pyarrow.fs import FileSelector

        for info in self._store.get_file_info(FileSelector(self._root, recursive=True, allow_not_found=True)):
            if info.is_file:
                try:
                    with self._store.open_input_stream(info.path) as file:
                        yield file
                except FileNotFoundError:
                    continue

    def _sweep(self, name: str) -> None:
        """Removes what a killed process left half written of a file; those who write take turns."""
        for path in (self.folder / FOLDER).glob(f".{name}.*"):
            path.unlink(missing_ok=True)

    def _object(self, name: str) -> str:
        return f"{self._root}/{FOLDER}/{name}"


def _object_store(address: str) -> tuple[Any, str]:
    """The object store and the path in it that an address names, with its options from the environment."""
    from pyarrow.fs import FileSystem, S3FileSystem

    kind, _, root = address.partition("://")
    if kind != "s3":
        return FileSystem.from_uri(address)
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return S3FileSystem(endpoint_override=endpoint, region=region), root
