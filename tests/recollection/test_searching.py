"""Words are held against keys of all modalities, each less its modality's gap."""

import numpy as np
import pytest

from mm_memgpt import Text
from mm_memgpt.config import SearchConfig
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection.searching import levelled, search


@pytest.fixture
def archive(memory, files, photo):
    memory.add([photo(3), photo(4), files["tone.wav"], Text("the lamp is red"), Text("anna sings")])
    return memory.store.archive


def test_a_gap_is_taken_off_the_cosines_of_its_modality(archive):
    key = archive.search(text="lamp", k=1)[0].item.key.astype(np.float32)
    plain = {found.order: found.cosine for found in archive.search(key=key, k=99)}
    gaps = SearchConfig(image=0.3, audio=-0.2, text=0.9)
    found = levelled(archive, key, 99, Where(), gaps)
    expected = sorted(found, key=lambda one: getattr(gaps, one.item.modality) - plain[one.order])
    assert [one.order for one in found] == [one.order for one in expected]
    assert {one.order for one in found} == plain.keys()
    assert search(archive, key, "", 1)[0].item.text == "the lamp is red"
    assert search(archive, key, "", 1, gaps=SearchConfig(image=-1, text=1, audio=1))[0].item.modality == "image"


def test_without_a_difference_between_gaps_the_order_is_that_of_the_cosines(archive):
    key = archive.search(text="sings", k=1)[0].item.key.astype(np.float32)
    alike = levelled(archive, key, 4, Where(), SearchConfig(image=0.1, audio=0.1, text=0.1))
    assert [one.order for one in alike] == [one.order for one in archive.search(key=key, k=4)]


def test_only_what_the_filter_allows_is_levelled(archive):
    key = archive.search(text="lamp", k=1)[0].item.key.astype(np.float32)
    for modality in ("audio", ("image", "audio")):
        found = levelled(archive, key, 9, Where(modality=modality), SearchConfig(text=-1.0))
        assert {one.item.modality for one in found} <= {*([modality] if isinstance(modality, str) else modality)}


def test_a_gap_beyond_what_cosines_can_differ_by_is_refused():
    with pytest.raises(ValueError, match=r"search\.audio 1\.5 must lie in -1\.\.1"):
        SearchConfig(audio=1.5)
