"""Maps are computed once, are those of the trunk, and know what could not be perceived."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from mm_memgpt.config import AudioConfig
from mm_memgpt.datasets.camera import move_of, watched
from mm_memgpt.encoders.audio import AudioEncoder
from mm_memgpt.training.maps import BATCH, fingerprint, keep
from mm_memgpt.training.senses import Camera, Photos, Sounds
from mm_memgpt.types import InputError, Sample


def see(photos: list[Image.Image]) -> torch.Tensor:
    """A "trunk": the upper left and upper right pixel's red, as a map of one channel (n, 1, 1, 2)."""
    return torch.stack([torch.tensor([[[p.getpixel((0, 0))[0], p.getpixel((p.width - 1, 0))[0]]]]) for p in photos]) / 8


def photo(number: int) -> Sample:
    image = Image.new("RGB", (4, 3), (8 * number, 0, 0))
    image.putpixel((0, 0), (8 * number + 1, 0, 0))
    return Sample(source=f"photos:{number}", image=image, captions=(f"Photo {number} .",))


def refuse(*_):
    raise AssertionError("asked for again")


def test_every_row_is_perceived_once_in_each_view(tmp_path):
    rows = [photo(number % 30) for number in range(BATCH + 3)]
    maps = keep(tmp_path / "maps", rows, lambda: Photos(see))
    again = keep(tmp_path / "maps", rows, refuse)
    for number in (0, 7, BATCH + 2):
        shade = number % 30
        plain, time = again.row(number)
        assert plain.tolist() == [[[[shade + 0.125, shade]]]]
        assert time == [[0.0, 0.0]]
        assert again.row(number, "mirrored")[0].tolist() == [[[[shade, shade + 0.125]]]]
    assert maps.captions[7] == ("Photo 7 .",)
    assert again.array("plain").dtype == np.float16
    assert isinstance(again.array("plain"), np.memmap)
    assert len(pickle.dumps(again)) < 20_000  # the maps stay where they are
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_a_row_that_cannot_be_perceived_is_named_and_the_others_are(tmp_path):
    rows = [photo(0), replace(photo(1), image=None), photo(2)]
    maps = keep(tmp_path / "maps", rows, lambda: Photos(see, views=1))
    assert maps.row(2)[0].flatten().tolist() == [2.125, 2]
    assert maps.views == ["plain"]
    with pytest.raises(InputError, match=r"^photos:1: has no photo"):
        maps.row(1)


def test_a_part_that_was_cut_short_is_begun_anew(tmp_path):
    def stops(photos):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path / "maps", [photo(3)], lambda: Photos(stops))
    assert list(tmp_path.iterdir()) == []
    assert keep(tmp_path / "maps", [photo(3)], lambda: Photos(see)).row(0)[0].flatten().tolist() == [3.125, 3]


def test_what_lies_there_and_is_not_whole_is_put_aside(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "plain.npy").write_bytes(b"of another version")
    maps = keep(tmp_path / "maps", [photo(3)], lambda: Photos(see, views=1))
    assert maps.row(0)[0].flatten().tolist() == [3.125, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["maps"]


def test_other_data_under_the_same_name_are_refused(tmp_path):
    keep(tmp_path / "maps", [photo(0)], lambda: Photos(see))
    with pytest.raises(InputError, match="holds the maps of 1 rows, and there are 2; remove it"):
        keep(tmp_path / "maps", [photo(0), photo(1)], refuse)


def test_the_pieces_of_a_sound_are_as_the_encoder_hears_them_at_their_times(tmp_path):
    encoder = AudioEncoder(AudioConfig(trunk="test_efficientnet", times=3, heads=2), width=8, key_width=5).eval()
    size, rate = encoder.config.samples, encoder.config.rate
    sound = 0.1 * torch.randn(round(2.4 * size))
    rows = [Sample(source="a", sound=sound), Sample(source="b", sound=sound[:99])]
    maps = keep(tmp_path / "maps", rows, lambda: Sounds(encoder))
    heard, time = maps.row(0)
    with torch.no_grad():
        due = encoder.listen(torch.nn.functional.pad(sound, (0, 3 * size - len(sound))).view(3, size)).map
    torch.testing.assert_close(heard.float(), due, atol=2e-3, rtol=2e-3)
    assert np.allclose(time, [[0, 0.975], [0.975, 1.95], [1.95, len(sound) / rate]])
    _, later = maps.row(0, "later")
    assert np.allclose(later, [[0, 0.4875], [0.4875, 1.4625], [1.4625, len(sound) / rate]])
    assert maps.row(1)[0].shape == (1, *due.shape[1:])


def scenery(row: int) -> Sample:
    pixels = np.random.default_rng(row).integers(0, 31, (6, 8, 3), dtype=np.uint8) * 8
    return Sample(source=f"folder/a.parquet:{row}", image=Image.fromarray(pixels).resize((64, 48)), captions=("Hm .",))


def test_a_clip_is_the_frames_of_a_made_camera_at_their_times_in_each_view_by_another_move(tmp_path):
    rows = [scenery(0), replace(scenery(1), image=None), scenery(2)]
    maps = keep(tmp_path / "maps", rows, lambda: Camera(see))
    for number in (0, 2):
        for view in maps.views:
            due = watched(rows[number].image, move_of(f"a.parquet:{number}", view))
            seen, times = maps.row(number, view)
            assert len(due) in (3, 4)
            assert torch.equal(seen, see([moment.photo for moment in due]).half())
            assert times == [[moment.start, moment.end] for moment in due]
    assert maps.row(0, "plain")[0].tolist() != maps.row(0, "again")[0].tolist()
    assert maps.captions[2] == ("Hm .",)
    with pytest.raises(InputError, match=r"^folder/a.parquet:1: has no photo"):
        maps.row(1)


def test_other_weights_or_settings_have_another_print():
    one, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
    prints = {fingerprint(one, ("a", 1)), fingerprint(one, ("a", 1)), fingerprint(other, ("a", 1)), fingerprint(one, 2)}
    assert len(prints) == 3
