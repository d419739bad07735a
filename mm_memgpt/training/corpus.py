"""Texts to pre-train on: documents, cut into pieces of whole sentences that a model can read at once.

Notable: sentences are held in memory, a piece is three numbers; a document is a row of a table, or a whole text file.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mm_memgpt.datasets.document import DOCUMENT_SUFFIXES, sentences, split
from mm_memgpt.datasets.fields import as_text
from mm_memgpt.datasets.paths import find_paths
from mm_memgpt.datasets.table import column, read_table
from mm_memgpt.training.stream import Skip
from mm_memgpt.types import InputError


class Document(NamedTuple):
    """A text as sentences, and where it comes from."""

    place: str
    sentences: tuple[str, ...]


class Piece(NamedTuple):
    """Sentences of a document that follow each other."""

    document: int
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        """The piece in one line."""
        return " ".join(self.sentences)


class Corpus(Sequence[Piece]):
    """Pieces of documents.

    Args:
        documents: the texts.
        pieces: document, first sentence and the one behind the last, of each piece.
    """

    def __init__(self, documents: Sequence[Document], pieces: Sequence[tuple[int, int, int]]) -> None:
        self.documents, self.pieces = documents, pieces

    def __len__(self) -> int:
        return len(self.pieces)

    def __getitem__(self, index: int) -> Piece:
        document, begin, end = self.pieces[index]
        return Piece(document, self.documents[document].sentences[begin:end])

    def parted(self, every: int) -> tuple["Corpus", "Corpus"]:
        """All but every so-manieth piece, and these, from the first on."""
        rest = [piece for number, piece in enumerate(self.pieces) if number % every]
        return Corpus(self.documents, rest), Corpus(self.documents, self.pieces[::every])


def cut(documents: Sequence[Document], characters: int) -> Corpus:
    """The documents as pieces of as many whole sentences as fit into so many characters, and at least of one."""
    pieces = []
    for number, document in enumerate(documents):
        begin, length = 0, 0
        for place, sentence in enumerate(document.sentences):
            if place > begin and length + len(sentence) > characters:
                pieces.append((number, begin, place))
                begin, length = place, 0
            length += len(sentence) + 1
        pieces.append((number, begin, len(document.sentences)))
    return Corpus(documents, pieces)


def read_documents(files: Sequence[str], text: str, skip: Skip) -> list[Document]:
    """The texts of files: column `text` of tables, and plain text files whole. A row without text is skipped.

    Raises:
        InputError: a file cannot be read or lacks the column, or no file holds any text.
    """
    documents = [document for file in files for document in _documents(file, text, skip)]
    if not documents:
        raise InputError(f"{', '.join(files)}: no text to learn from; name other files, or another column by text")
    return documents


def _documents(file: str, text: str, skip: Skip) -> Iterator[Document]:
    if Path(file).suffix.lower() in DOCUMENT_SUFFIXES:
        for path in find_paths(file):
            if found := tuple(sentence.text for sentence in sentences(path)):
                yield Document(str(path), found)
        return
    for place, [written] in read_texts(file, {"text": text}, skip):
        if found := tuple(split(written)):
            yield Document(place, found)


def read_texts(file: str, columns: dict[str, str], skip: Skip) -> Iterator[tuple[str, list[str]]]:
    """The place of each row of a table, and its texts of the columns, which are named by role; others are skipped.

    Raises:
        InputError: the file cannot be read, or lacks a column.
    """
    table = read_table(file)
    names = [column(table, name, role) for role, name in columns.items()]
    for number in range(len(table)):
        try:
            row: Any = table[number]
            yield table.place(number), [_written(row[name], table.place(number), name) for name in names]
        except InputError as error:
            skip(error)


def _written(value: Any, place: str, name: str) -> str:
    """A cell's text; the texts of a list, such as the turns of a dialogue, are lines."""
    lines = value if isinstance(value, (list, tuple)) else [value]
    return "\n".join(as_text(line, place, name) for line in lines)
