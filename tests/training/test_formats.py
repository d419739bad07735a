"""Every format that can be read can be trained on; a streamed run, stopped and resumed, is an unbroken one."""

import io
import json
import tarfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mm_memgpt.training.run import train

CAPTIONS = ["a red ball on grass .", "two dogs run fast ."]
PHOTOS = 6


@pytest.fixture(scope="module")
def formats(tmp_path_factory, encoded_photo) -> Path:
    """One set of six photos in every format, below one folder."""
    root = tmp_path_factory.mktemp("formats")
    photos = [encoded_photo(number) for number in range(PHOTOS)]
    (root / "images").mkdir()
    for number, content in enumerate(photos):
        (root / "images" / f"{number}.png").write_bytes(content)
    rows = [(f"{number}.png", caption) for number in range(PHOTOS) for caption in CAPTIONS]
    (root / "images" / "metadata.csv").write_text(
        "file_name,caption\n" + "".join(f"{name},{caption}\n" for name, caption in rows)
    )
    (root / "Flickr.token.txt").write_text("".join(f"{n}#{i % 2}\t{c}\n" for i, (n, c) in enumerate(rows)))
    (root / "captions.csv").write_text("image,caption\n" + "".join(f"{n},{c}\n" for n, c in rows))
    (root / "results.csv").write_text(
        "image_name| comment_number| comment\n" + "".join(f"{n}| {i % 2}| {c}\n" for i, (n, c) in enumerate(rows))
    )
    (root / "karpathy.json").write_text(json.dumps({"images": [karpathy(number) for number in range(PHOTOS)]}))
    images = [{"id": 10 + number, "file_name": f"{number}.png"} for number in range(PHOTOS)]
    notes = [{"id": i, "image_id": 10 + i // 2, "caption": caption} for i, (_, caption) in enumerate(rows)]
    (root / "coco.json").write_text(json.dumps({"images": images, "annotations": notes}))
    write_shards(root, photos)
    write_saved(root)
    return root


def karpathy(number: int) -> dict:
    sentences = [{"raw": caption} for caption in CAPTIONS]
    return {"filename": f"{number}.png", "split": "val" if number == 5 else "train", "sentences": sentences}


def write_shards(root: Path, photos: list[bytes]) -> None:
    for shard in range(2):
        with tarfile.open(root / f"part-{shard}.tar", "w") as tar:
            for number in range(shard, PHOTOS, 2):
                for ending, content in (("png", photos[number]), ("txt", "\n".join(CAPTIONS).encode())):
                    info = tarfile.TarInfo(f"{number:04}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def write_saved(root: Path) -> None:
    from datasets import Dataset, Image

    rows = {"image": [str(root / "images" / f"{n}.png") for n in range(PHOTOS)], "captions": [CAPTIONS] * PHOTOS}
    Dataset.from_dict(rows).cast_column("image", Image()).save_to_disk(root / "saved")


SHARDS = {"path": "part-{0..1}.tar"}
SOURCES = {
    "folder": {"path": "images"},
    "flickr-token": {"path": "Flickr.token.txt"},
    "flickr8k-csv": {"path": "captions.csv", "images": "images"},
    "flickr30k-csv": {"path": "results.csv"},
    "karpathy": {"path": "karpathy.json", "split": "train"},
    "coco": {"path": "coco.json"},
    "webdataset": SHARDS,
    "saved": {"path": "saved"},
    "hub-folder": {"path": "hub:{root}/images", "columns": {"captions": "caption"}},
    "webdataset-streamed": {**SHARDS, "streaming": True, "samples": PHOTOS, "buffer": 3},
    "hub-streamed": {"path": "hub:{root}/saved", "streaming": True, "samples": PHOTOS},
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_recipe_may_name_any_format(name, formats, write_recipe, tmp_path):
    source = {**SOURCES[name], "path": SOURCES[name]["path"].replace("{root}", str(formats))}
    val = {key: value for key, value in source.items() if key not in ("streaming", "samples", "buffer")}
    data = {"root": str(formats), "train": [source], "val": val, "val_samples": 2}
    recipe = write_recipe(tmp_path, data=data, checkpoints=1, optimiser={"epochs": 1, "batch": 3, "rate": 0.003})
    assert 0 < train(recipe)["eval_loss"] < 8
    report = json.loads((tmp_path / "output" / "report.json").read_text())
    assert report["skipped"] == []
    assert report["samples"] == {"karpathy": 5, "hub-folder": 12}.get(name, 6)


@pytest.mark.parametrize("name", ["webdataset", "webdataset-streamed"])
def test_a_resumed_webdataset_run_is_an_unbroken_one(name, formats, write_recipe, tmp_path, interrupt):
    """To the bit, and whether or not a worker process reads the shards."""
    weights = {}
    for run, workers in (("unbroken", 0), ("resumed", 1)):
        (tmp_path / run).mkdir()
        data = {"root": str(formats), "train": [SOURCES[name]], "val": SHARDS, "val_samples": 2}
        recipe = write_recipe(tmp_path / run, data=data, workers=workers)
        if run == "resumed":
            interrupt(3, recipe)
        train(recipe, resume=run == "resumed")
        weights[run] = load_file(tmp_path / run / "output" / "model.safetensors")
    assert weights["unbroken"].keys() == weights["resumed"].keys()
    assert all(torch.equal(weights["unbroken"][key], weights["resumed"][key]) for key in weights["unbroken"])
