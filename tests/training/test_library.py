"""Maps are kept apart by the rows they are of."""

from mm_memgpt.config import AudioConfig
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
