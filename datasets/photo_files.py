"""Photos, sounds and clips in files of their own with their captions in a list beside them, as most sets are published.

Notable: a photo that the list names and that is not there costs its own sample, not the set, because published lists
name photos that were never published; but where not one is found, the folder is wrong, and that is said at once. What
a file is, its ending says, because to look inside every file of a large set takes minutes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.clip import CLIP_SUFFIXES
from mm_memgpt.datasets.photo import open_photo
from mm_memgpt.datasets.sound import SOUND_SUFFIXES, open_sound
from mm_memgpt.types import InputError, Sample

Entry = tuple[Path, tuple[str, ...]]
"""A file and the sentences written about it."""


class PhotoFiles:
    """Files and captions as a sequence of Samples; a photo or sound is opened only when its sample is asked for.

    Args:
        photos: the files and their captions.
        kind: what all of them are (image, sound or clip); where None, their endings say, and what has neither the
            ending of a sound nor that of a clip is a photo.
    """

    def __init__(self, photos: Sequence[Entry], kind: str | None = None) -> None:
        self.photos, self.kind = photos, kind

    def __len__(self) -> int:
        return len(self.photos)

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        path, captions = self.photos[range(len(self))[index]]
        kind = kind_of(path) if self.kind is None else self.kind
        return Sample(source=str(path), captions=captions, **{kind: OPENED[kind](path)})

    def texts(self) -> Iterator[str]:
        """All captions, photo by photo. No photo is opened."""
        for _, captions in self.photos:
            yield from captions


OPENED: dict[str, Callable[[Path], Any]] = {"image": open_photo, "sound": open_sound, "clip": Path}
"""What a Sample holds of a file, by what the file is; a clip is opened by who reads it."""


def kind_of(path: Path) -> str:
    """What a file is by its ending: sound, clip, or image."""
    ending = path.suffix.lower()
    return "sound" if ending in SOUND_SUFFIXES else "clip" if ending in CLIP_SUFFIXES else "image"


def gather(rows: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Photo names and captions, a row each, as the captions of each photo, in the order in which photos first come."""
    gathered: dict[str, list[str]] = {}
    for name, caption in rows:
        gathered.setdefault(name, []).append(caption)
    return gathered


def in_split(photos: dict[str, list[str]], split: str | None, lists: dict[str, set[str]], where: Path) -> dict:
    """The photos whose names the split's list holds, or all where `split` is None.

    Raises:
        InputError: there is no such split.
    """
    if split is None:
        return photos
    if split not in lists:
        known = f"it has {', '.join(sorted(lists))}" if lists else "it has none: leave the split out"
        raise InputError(f"{where}: no split {split!r}; {known}")
    return {name: captions for name, captions in photos.items() if name in lists[split]}


def locate(photos: dict[str, list[str]], listing: Path, images: Path | None) -> PhotoFiles:
    """The photos as files: in `images`, or in the first folder beside or above the list that holds one of them.

    Raises:
        InputError: none is there.
    """
    if not photos:
        raise InputError(f"{listing}: names no photo; is it the right file, and the right split?")
    if outside := [name for name in photos if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise InputError(f"{listing}: {outside[0]!r} leads out of the folder of the photos; take it out")
    folders = _near(listing) if images is None else [images]
    for folder in folders:
        if any((folder / name).is_file() for name in photos):
            return PhotoFiles([(folder / name, tuple(captions)) for name, captions in photos.items()])
    looked = f"in {images}" if images is not None else "beside it, above it, or one folder down from there"
    what = f"none of its {len(photos)} photos ({next(iter(photos))}, ...) lies {looked}"
    raise InputError(f"{listing}: {what}; name their folder: images")


def _near(listing: Path) -> list[Path]:
    """The list's folder and the one above, each followed by the folders in it."""
    here = listing.resolve().parent
    below = ([place, *sorted(path for path in place.iterdir() if path.is_dir())] for place in (here, here.parent))
    return list(chain.from_iterable(below))
