"""WebDataset shards: indexed for any sample at any time, or streamed; either way the same samples."""

import io
import json
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mm_memgpt.datasets.base import read, samples, stream
from mm_memgpt.types import InputError


def photo(shade: int) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full((3, 5), shade, np.uint8)).save(content, "PNG")
    return content.getvalue()


def write(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


FIRST = {
    "deep/0001.png": photo(0),
    "deep/0001.txt": b"A dark one.\nNight.\n",
    "deep/0002.jpg": photo(100),
    "deep/0002.json": json.dumps({"caption": "Dusk.", "alt": ["Evening."], "label": 3}).encode(),
}
SECOND = {"0003.json": b'{"captions": ["Day."]}', "0003.cls": b"7", "0003.webp": photo(200), "readme": b"none"}


@pytest.fixture
def shards(tmp_path) -> str:
    write(tmp_path / "part-000.tar", FIRST)
    write(tmp_path / "part-001.tar", SECOND)
    return str(tmp_path / "part-{000..001}.tar")


def told(sample) -> tuple:
    return sample.source.rpartition("/part-")[2], sample.captions, sample.image.getpixel((2, 1))[0], sample.label


DUE = [
    ("000.tar:deep/0001", ("A dark one.", "Night."), 0, None),
    ("000.tar:deep/0002", ("Dusk.",), 100, 3),
    ("001.tar:0003", ("Day.",), 200, 7),
]


def test_members_of_one_name_are_one_sample(shards):
    reader = read(shards)
    assert [told(sample) for sample in reader] == DUE
    assert told(reader[-1]) == DUE[-1]
    assert told(pickle.loads(pickle.dumps(reader))[1]) == DUE[1]
    assert list(reader.texts()) == ["A dark one.", "Night.", "Dusk.", "Day."]


def test_a_stream_gives_what_the_index_gives(shards):
    assert [told(encoded.open()) for encoded in stream(shards)] == DUE


def test_a_stream_is_read_from_a_pipe_and_may_be_compressed(tmp_path):
    path = write(tmp_path / "part-000.tar.gz", FIRST, "w:gz")
    assert [told(encoded.open())[1:] for encoded in stream(f"pipe:cat {path}")] == [due[1:] for due in DUE[:2]]


def test_a_stream_may_put_the_shards_in_another_order(shards):
    captions = [encoded.captions for encoded in stream(shards, shuffle=list.reverse)]
    assert captions == [("Day.",), ("A dark one.", "Night."), ("Dusk.",)]


def test_another_member_or_key_may_be_named(shards, tmp_path):
    first = str(tmp_path / "part-000.tar")
    assert read(first, captions="alt")[1].captions == ("Evening.",)
    assert [encoded.captions for encoded in stream(first, captions="txt") if not isinstance(encoded, InputError)] == [
        ("A dark one.", "Night.")
    ]
    with pytest.raises(InputError, match=r"000.tar:deep/0001: no member 'alt'; it has png, txt"):
        read(first, captions="alt")[0]


def test_a_broken_sample_stands_in_its_place_and_the_others_are_read(tmp_path):
    spoilt = {**FIRST, "deep/0001.png": b"no photo", "deep/0002.json": b"{", **SECOND}
    path = write(tmp_path / "part-000.tar", spoilt)
    photo_broken, json_broken, whole = samples(read(path))
    assert "000.tar:deep/0001: " in str(photo_broken)
    assert "000.tar:deep/0002: a member cannot be read" in str(json_broken)
    assert told(whole)[1:] == DUE[2][1:]
    first, second, third = stream(str(path))
    with pytest.raises(InputError, match=r"000.tar:deep/0001: "):
        first.open()
    assert str(second) == str(json_broken)
    assert told(third.open())[1:] == DUE[2][1:]


def test_no_photo_is_read_for_the_texts(tmp_path):
    path = write(tmp_path / "part-000.tar", {"1.jpg": b"no photo", "1.txt": b"Words."})
    assert list(read(path).texts()) == ["Words."]


@pytest.mark.parametrize("kept", [540, 1560])
def test_a_shard_cut_short_is_refused_where_it_is_indexed_and_named_where_it_is_streamed(kept, tmp_path):
    whole = write(tmp_path / "whole.tar", FIRST).read_bytes()
    path = tmp_path / "part-000.tar"
    path.write_bytes(whole[:kept])
    with pytest.raises(
        InputError, match=r"part-000.tar: not a tar file, or one cut short .*; copy or download it again"
    ):
        read(path)
    streamed = list(stream([str(path), str(tmp_path / "whole.tar")]))
    assert [str(one).rpartition("/")[2].partition(" (")[0] for one in streamed if isinstance(one, InputError)] == [
        "part-000.tar: cannot be read on"
    ]
    assert [one.captions for one in streamed[-2:]] == [DUE[0][1], DUE[1][1]]


def test_a_shard_that_ends_between_two_samples_is_cut_short_too(tmp_path):
    path = write(tmp_path / "part-000.tar", FIRST)
    path.write_bytes(path.read_bytes()[:2048])
    with pytest.raises(InputError, match=r"one cut short \(its end mark is missing\)"):
        read(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [({}, "holds no sample"), ({"readme": b"no ending"}, "its files should be called 0001.jpg, 0001.txt, ...")],
)
def test_a_shard_without_samples_is_refused(members, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "empty.tar", members))


def test_what_is_no_shard_is_refused(tmp_path):
    (tmp_path / "text.tar").write_text("hello " * 200)
    with pytest.raises(InputError, match=r"text.tar: not a tar file"):
        read(tmp_path / "text.tar")
    with pytest.raises(InputError, match=r"part-\{000..001.tar: .*write it as \{000..009\}"):
        read(tmp_path / "part-{000..001.tar")
    with pytest.raises(InputError, match=r"part-007.tar: no such file"):
        read(tmp_path / "part-{007..008}.tar")
    with pytest.raises(InputError, match=r"a .tar takes no split; leave it out"):
        read(write(tmp_path / "a.tar", FIRST), split="train")
