"""Item i of a run is the same whoever asks, and each epoch draws what the shares say."""

import pickle
from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from mm_memgpt.training.recipe import Augment, Source
from mm_memgpt.training.stream import FixedSamples, SampleStream, crop, crop_box, mosaic
from mm_memgpt.types import Sample

COLOURS = [(40 * row, 255 - 40 * row, 7) for row in range(6)]


def reader(name: str, rows: int) -> list[Sample]:
    return [
        Sample(source=f"{name}:{row}", image=Image.new("RGB", (4, 3), COLOURS[row % 6]), captions=("words",))
        for row in range(rows)
    ]


def note(sample: Sample, generator: Random) -> tuple[str, float]:
    """A transform that tells what it was given, and draws."""
    return sample.source, generator.random()


def whole(sample: Sample, generator: Random) -> Sample:
    return sample


def stream(seed: int = 3, epochs: float = 2, share: float = 1, transform=note) -> SampleStream:
    sources = [Source(path="a"), Source(path="b", share=share)]
    return SampleStream([reader("a", 5), reader("b", 8)], sources, epochs, seed, transform)


def names(stream: SampleStream) -> list[str]:
    return [stream[index][0] for index in range(len(stream))]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_number_of_workers_changes_nothing(workers):
    due = [stream()[index] for index in range(26)]
    loader = DataLoader(stream(), batch_size=None, num_workers=workers, collate_fn=tuple)
    assert list(loader) == due


def test_an_item_does_not_depend_on_what_was_asked_before():
    due = [stream()[index] for index in range(26)]
    backwards = stream()
    assert [backwards[index] for index in reversed(range(26))] == due[::-1]


def test_the_seed_decides_the_order_and_every_draw():
    assert names(stream(seed=3)) == names(stream(seed=3))
    assert names(stream(seed=3)) != names(stream(seed=4))
    assert not {draw for _, draw in map(stream(seed=3).__getitem__, range(26))} & {
        draw for _, draw in map(stream(seed=4).__getitem__, range(26))
    }


def test_each_epoch_draws_every_sample_once_in_an_order_of_its_own():
    drawn = names(stream(epochs=2))
    first, second = drawn[:13], drawn[13:]
    everything = {f"a:{row}" for row in range(5)} | {f"b:{row}" for row in range(8)}
    assert set(first) == set(second) == everything
    assert len(second) == 13
    assert first != second
    assert len({draw for _, draw in map(stream().__getitem__, range(26))}) == 26


def test_a_share_is_what_an_epoch_draws_and_the_drawn_ones_change():
    drawn = names(stream(epochs=2, share=0.25))
    assert len(drawn) == 2 * (5 + 2)
    parts = [{name for name in epoch if name.startswith("b")} for epoch in (drawn[:7], drawn[7:])]
    assert [len(part) for part in parts] == [2, 2]
    assert parts[0] != parts[1]


def test_a_share_above_one_draws_every_sample_before_any_comes_again():
    counts = Counter(names(stream(epochs=1, share=1.5)))
    assert sorted(count for name, count in counts.items() if name.startswith("b")) == [1] * 4 + [2] * 4


def test_a_share_however_small_draws_something():
    assert sum(name.startswith("b") for name in names(stream(epochs=1, share=0.01))) == 1


def test_a_part_of_an_epoch_is_its_beginning():
    assert len(stream(epochs=1.5)) == round(1.5 * 13)
    assert names(stream(epochs=1.5)) == names(stream(epochs=2))[:20]


def test_a_copy_in_another_process_is_the_same_stream():
    original = stream()
    original[0]
    assert names(pickle.loads(pickle.dumps(original))) == names(original)


def test_small_photos_are_laid_into_one_with_their_own_in_the_first_place():
    tiled = SampleStream([reader("a", 6)], [Source(path="a", mosaic=3)], 1, 0, whole)
    for index in range(6):
        sample = tiled[index]
        assert sample.image.size == (12, 9)
        assert sample.captions == ()  # the words were about one of the nine
        assert sample.image.getpixel((0, 0)) == COLOURS[int(sample.source.partition(":")[2])]
    colours = {tiled[0].image.getpixel((x, y)) for x in (1, 5, 9) for y in (1, 4, 7)}
    assert 1 < len(colours) <= 6


def test_a_mosaic_is_laid_row_by_row_in_tiles_of_the_first_s_size():
    photos = [
        Image.new("RGB", size, colour) for size, colour in zip([(4, 3), (2, 2), (9, 5), (4, 3)], COLOURS, strict=False)
    ]
    whole = mosaic(photos, 2)
    assert whole.size == (8, 6)
    assert [whole.getpixel(place) for place in [(2, 1), (6, 1), (2, 4), (6, 4)]] == COLOURS[:4]


def test_validation_takes_the_first_samples_with_the_same_draws_every_time():
    fixed = FixedSamples(reader("a", 5), 3, note)
    assert len(fixed) == 3
    once = [fixed[index] for index in range(3)]
    assert [name for name, _ in once] == ["a:0", "a:1", "a:2"]
    assert [fixed[index] for index in range(3)] == once
    assert len(FixedSamples(reader("a", 5), 9, note)) == 5


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(1, 400), st.floats(0.05, 1), st.floats(0, 2), st.integers(0, 2**32))
def test_a_crop_lies_in_the_photo_and_keeps_its_share_of_the_area(width, height, area, aspect, seed):
    left, top, right, bottom = crop_box(width, height, Augment(area=area, aspect=aspect), Random(seed))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    across, down = right - left, bottom - top
    assert (across + 0.5) * (down + 0.5) >= area * width * height * (1 - 1e-9)  # sides are whole pixels
    if min(across, down) > 20:
        stretch = np.log(across * height / (down * width))
        assert abs(stretch) <= aspect + 0.5 / across + 0.5 / down + 1e-3


def test_crops_differ_in_size_place_and_aspect():
    boxes = [crop_box(300, 200, Augment(area=0.3, aspect=0.5), Random(seed)) for seed in range(40)]
    assert len({box[:2] for box in boxes}) > 30
    areas = [(right - left) * (bottom - top) / 60_000 for left, top, right, bottom in boxes]
    assert min(areas) < 0.45
    assert max(areas) > 0.85


def test_without_augmentation_a_crop_is_the_photo_squeezed():
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), dtype=np.uint8))
    squeezed = crop(photo, Augment(area=1, aspect=0), 6, Random(0))
    assert squeezed.tobytes() == photo.resize((6, 6), Image.Resampling.BICUBIC).tobytes()


def test_about_half_of_the_photos_are_mirrored_where_the_recipe_says_so():
    photo = Image.new("RGB", (2, 1))
    photo.putpixel((0, 0), (255, 255, 255))

    def mirrored(flip: bool) -> int:
        augment = Augment(area=1, aspect=0, flip=flip)
        return sum(crop(photo, augment, 2, Random(seed)).getpixel((0, 0))[0] < 128 for seed in range(200))

    assert mirrored(False) == 0
    assert 70 < mirrored(True) < 130
