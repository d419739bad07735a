"""What a memory holds becomes a card a slot: what it shows or says, when that was, and how much merged in it."""

from pathlib import Path

import pytest

from mm_memgpt.recollection.results import Moment
from mm_memgpt.serve.memory_timeline import LONGEST, counted, timeline, when
from mm_memgpt.serve.memory_visitors import Given

FILES = {
    "dog.wav": Given(Path("1.wav"), "sound", at=70.0),
    "cat.jpg": Given(Path("2.jpg"), "photo", at=3.0),
    "walk.mp4": Given(Path("3.mp4"), "clip", at=9.0),
}


def moment(slot: int = 0, source: str | None = "cat.jpg", modality: str = "image", items: int = 1, **more) -> Moment:
    given = {"start": 3.0, "end": 3.0, "texts": (), "merged": items > 1, **more}
    return Moment(slot=slot, source=source, modality=modality, items=items, **given)


def test_a_slot_is_a_card_with_its_picture_its_kind_and_its_source():
    html = timeline([moment(preview=b"\xff\xd8 a small picture")], FILES)
    assert html.count('<li class="mm-moment') == 1
    assert 'src="data:image/jpeg;base64,/9ggYSBzbWFsbCBwaWN0dXJl" alt="cat.jpg"' in html
    assert ">photo</span>" in html
    assert "merged" not in html
    assert "1 item in 1 slot; nothing had to merge yet." in html


def test_a_slot_of_several_says_how_many_merged_and_that_their_sources_differ():
    html = timeline([moment(items=5), moment(source=None, modality="text", items=1_200)], FILES)
    assert "5 items merged" in html
    assert "1,200 items merged" in html
    assert "several sources" in html
    assert "1,205 items in 2 slots; 2 slots of several that were alike." in html


def test_a_frame_of_a_clip_is_of_a_clip_and_a_lone_modality_has_a_name_too():
    assert ">clip</span>" in timeline([moment(source="walk.mp4", start=9.0, end=9.0)], FILES)
    for modality, name in (("image", "photo"), ("audio", "sound"), ("text", "note")):
        assert f">{name}</span>" in timeline([moment(source="else", modality=modality)], FILES)


def test_the_time_is_within_a_sound_or_clip_and_on_the_memorys_clock_elsewhere():
    assert when("audio", 71.0, 72.0, FILES["dog.wav"]) == "0:01.0 to 0:02.0"
    assert when("image", 12.5, 12.5, FILES["walk.mp4"]) == "0:03.5"
    assert when("image", 3.0, 3.0, FILES["cat.jpg"]) == "0:03.0"
    assert when("text", 60.0, 75.0, None) == "1:00.0 to 1:15.0"


def test_a_long_note_is_cut_and_what_it_says_cannot_run():
    html = timeline([moment(modality="text", texts=("<script>", "x" * LONGEST))], FILES)
    assert "<script>" not in html
    assert html.count("x") <= LONGEST
    assert "…" in html
    assert "<b>" not in timeline([moment(source="<b>.jpg")], FILES)


@pytest.mark.parametrize(("number", "shown"), [(0, "0 items"), (1, "1 item"), (2, "2 items"), (1_200, "1,200 items")])
def test_what_is_counted_is_in_the_plural_but_for_one(number, shown):
    assert counted(number, "item") == shown


def test_where_nothing_is_kept_it_says_so():
    assert "Nothing is kept yet" in timeline([], {})
