"""Maps are kept apart by the rows they are of."""

import torch

from mm_memgpt.config import AudioConfig
from mm_memgpt.datasets.base import read
from mm_memgpt.datasets.camera import move_of, watched
from mm_memgpt.models.growing import grow
from mm_memgpt.models.loading import read_model
from mm_memgpt.training.library import Library
from mm_memgpt.training.recipe import Source


def test_other_rows_of_a_file_have_maps_of_their_own(world, deaf, tmp_path):
    hearing = grow(read_model(deaf)[0], AudioConfig(trunk="test_efficientnet", times=3, heads=4))
    library, file = Library(hearing, str(world), tmp_path), "fsdd/train.parquet"
    whole, three, other = (
        library.sounds(Source(path=file, where=where)) for where in ({}, {"digit": [1, 2, 5]}, {"digit": [1, 2, 7]})
    )
    assert [len(maps) for maps in (whole, three, other)] == [10, 3, 3]
    assert three.row(2)[0].tolist() == whole.row(5)[0].tolist() != other.row(2)[0].tolist()


def test_clips_are_made_of_the_first_photos_and_kept_apart_by_how_many(world, deaf, tmp_path):
    hearing = grow(read_model(deaf)[0], AudioConfig(trunk="test_efficientnet", times=3, heads=4))
    library, source = Library(hearing, str(world), tmp_path), Source(path="flickr8k/val.parquet")
    three, two, all_, still = *(library.clips(source, count) for count in (3, 2, 99)), library.photos(source)
    assert [len(maps) for maps in (three, two, all_, still)] == [3, 2, 12, 12]
    sample = read(world / source.path)[1]
    due = watched(sample.image, move_of(sample.source))
    with torch.no_grad():
        seen = library.see([moment.photo for moment in due])
    assert torch.allclose(three.row(1)[0].float(), seen, atol=2e-3, rtol=2e-3)
    assert torch.equal(three.row(1)[0], two.row(1)[0])
    assert three.captions == still.captions[:3]
