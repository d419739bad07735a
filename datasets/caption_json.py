"""Captions in one JSON file: COCO's own annotations, and Karpathy's splits of COCO, Flickr8k and Flickr30k.

Notable: the two are told apart by what the file holds, not by its name.
"""

import json
from pathlib import Path
from typing import Any

from mm_memgpt.datasets.files import open_file
from mm_memgpt.datasets.photo_files import PhotoFiles, in_split, locate
from mm_memgpt.types import InputError


def read_caption_json(listing: Path, split: str | None = None, images: Path | None = None) -> PhotoFiles:
    """The photos of a COCO captions file or a Karpathy file; of the latter one split, or several as "train+restval".

    Raises:
        InputError: not JSON, neither of the two, an entry that lacks a key, or no photo found.
    """
    with open_file(listing) as file:
        try:
            content = json.load(file)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{listing}: not JSON ({error}); download it again") from None
    entries = content.get("images") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{listing}: no list 'images' of objects in it; give a COCO or a Karpathy captions file")
    try:
        if isinstance(content.get("annotations"), list):
            return _coco(listing, content, split, images)
        if all("sentences" in entry for entry in entries):
            return _karpathy(listing, entries, split, images)
    except (KeyError, TypeError) as error:
        raise InputError(f"{listing}: an entry lacks {error}; give a COCO or a Karpathy captions file") from None
    raise InputError(f"{listing}: neither 'annotations' (COCO) nor 'sentences' (Karpathy) in it; give one of these")


def _coco(listing: Path, content: dict[str, Any], split: str | None, images: Path | None) -> PhotoFiles:
    names = {entry["id"]: entry["file_name"] for entry in content["images"]}
    if len(names) != len(content["images"]):
        raise InputError(f"{listing}: two photos have one id; number them anew")
    photos: dict[str, list[str]] = {name: [] for name in names.values()}
    for annotation in content["annotations"]:
        if annotation["image_id"] not in names:
            about = f"annotation {annotation.get('id')} is about photo {annotation['image_id']}"
            raise InputError(f"{listing}: {about}, which it does not list; download it again")
        photos[names[annotation["image_id"]]].append(annotation["caption"].strip())
    return locate(in_split(photos, split, {}, listing), listing, images)


def _karpathy(listing: Path, entries: list[dict[str, Any]], split: str | None, images: Path | None) -> PhotoFiles:
    photos, lists = {}, {}
    for entry in entries:
        name = str(Path(entry.get("filepath", "")) / entry["filename"])
        photos[name] = [sentence["raw"].strip() for sentence in entry["sentences"]]
        lists.setdefault(entry["split"], set()).add(name)
    for several in [split] if split and "+" in split else []:
        parts = several.split("+")
        if all(part in lists for part in parts):
            lists[several] = set().union(*(lists[part] for part in parts))
    return locate(in_split(photos, split, lists, listing), listing, images)
