"""Each visitor has a memory and files of their own, under the names they gave them, and nothing of them stays."""

import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mm_memgpt.pipeline import load
from mm_memgpt.serve.memory_events import report
from mm_memgpt.serve.memory_timeline import timeline
from mm_memgpt.serve.memory_visitors import Visitor, Visitors
from mm_memgpt.types import InputError

PHOTOS = Path(__file__).parents[2] / "demos" / "photos"


@pytest.fixture(scope="module")
def model(tiny_model_folder):
    return load(tiny_model_folder, "cpu")


@pytest.fixture
def visitors(model):
    visitors = Visitors(partial(Visitor, model))
    yield visitors
    visitors.close()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def upload(tmp_path):
    """A photo as the server has it: by a name that nobody gave it."""

    def uploaded(photo: str, number: int = 0) -> Path:
        folder = tmp_path / f"upload-{photo}-{number}"
        folder.mkdir()
        return Path(shutil.copy(PHOTOS / photo, folder / "blob.jpg"))

    return uploaded


def told(added) -> str:
    """The lines on the page."""
    return report([added])


def test_what_is_kept_is_in_the_memory_under_the_name_its_owner_gave_it(visitors, root, upload):
    me = visitors.of("me", root)
    assert me.timeline() == []
    assert "my cat.jpg: 1 item kept" in told(me.keep(upload("cat.jpg"), "my cat.jpg"))
    [moment] = me.timeline()
    assert (moment.source, moment.modality, moment.items) == ("my cat.jpg", "image", 1)
    assert moment.preview.startswith(b"\xff\xd8")
    assert me.files["my cat.jpg"].kind == "photo"


def test_two_files_of_one_name_are_two_sources_and_the_same_one_twice_is_kept_once(visitors, root, upload):
    me = visitors.of("me", root)
    for number, photo in enumerate(("cat.jpg", "coffee.jpg", "cat.jpg", "coffee.jpg")):
        last = me.keep(upload(photo, number), "image.jpg")
    assert list(me.files) == ["image.jpg", "image (2).jpg"]
    assert len(me.timeline()) == 2
    assert "image (2).jpg: it was kept before" in told(last)


def test_a_note_is_a_sentence_an_item(visitors, root):
    me = visitors.of("me", root)
    assert "note 1: 2 items kept" in told(me.note("The key hangs behind the door. The dog is called Rex."))
    assert "note 2: 1 item kept" in told(me.note("Tea at four."))
    said = [text for moment in me.timeline() for text in moment.texts]
    assert said == ["The key hangs behind the door.", "The dog is called Rex.", "Tea at four."]
    with pytest.raises(InputError, match=r"^nothing to keep; "):
        me.note(" \n")


def test_a_fact_is_kept_by_a_name_of_its_own_and_forgotten_like_anything_else(visitors, root):
    me = visitors.of("me", root)
    assert "fact 1: 1 item kept" in told(me.tell(" Rex ", "is  a", "dog\n"))
    assert "fact 2: 1 item kept" in told(me.tell("dog", "is a", "canine"))
    assert [moment.texts for moment in me.timeline()] == [("Rex is a dog",), ("dog is a canine",)]
    assert ">fact</span>" in timeline(me.timeline(), me.files)
    assert me.forget("fact 1").items == 1
    assert list(me.files) == ["fact 2"]
    assert "fact 3: 1 item kept" in told(me.tell("Rex", "is a", "cat"))
    me.leave()


@pytest.mark.parametrize(
    ("fact", "line"),
    [
        (("", "is a", "dog"), "the fact has no head; fill in all three, such as: Rex, is a, dog"),
        (("Rex", "\n", "dog"), "the fact has no relation; fill in all three, such as: Rex, is a, dog"),
        (("Rex", "is a", "d" * 10_000), "the tail has 10,000 letters, more than 200; write it as a note"),
    ],
)
def test_a_fact_that_is_none_is_one_line(visitors, root, fact, line):
    me = visitors.of("me", root)
    with pytest.raises(InputError, match=f"^{line}$"):
        me.tell(*fact)
    assert me.files == {}


def test_of_a_file_of_facts_the_good_lines_are_kept_and_the_first_broken_ones_told(visitors, root, tmp_path):
    me = visitors.of("me", root)
    (tmp_path / "blob.tsv").write_text("Rex\tis a\tdog\n" + "broken\n" * 20 + "dog\tis a\tcanine\n")
    html = told(me.keep(tmp_path / "blob.tsv", "my facts.tsv"))
    assert "my facts.tsv: 2 items kept" in html
    assert html.count("my facts.tsv:") == 1 + 5
    assert "15 more like these were left out" in html
    assert str(tmp_path) not in html
    assert {moment.source for moment in me.timeline()} == {"my facts.tsv"}
    assert "my facts.tsv: it was kept before" in told(me.keep(tmp_path / "blob.tsv", "my facts.tsv"))
    me.forget("my facts.tsv")
    assert me.timeline() == []
    assert [path for path in me.folder.iterdir() if path.is_file()] == []


def test_a_file_may_be_called_as_a_fact_is_that_was_typed(visitors, root, upload):
    me = visitors.of("me", root)
    me.tell("Rex", "is a", "dog")
    me.keep(upload("cat.jpg"), "fact 1")
    assert list(me.files) == ["fact 1", "fact 1 (2)"]


def test_a_sound_begins_at_the_second_of_the_memorys_clock_that_it_was_given_at(visitors, root, tmp_path):
    me = visitors.of("me", root)
    me.note("Tea at four.")
    soundfile.write(tmp_path / "noise.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 32_000), 16_000)
    me.keep(tmp_path / "noise.wav", "noise.wav")
    heard = [moment for moment in me.timeline() if moment.modality == "audio"]
    assert min(moment.start for moment in heard) == pytest.approx(me.files["noise.wav"].at)
    assert me.files["noise.wav"].at > 0


def test_a_clip_is_kept_as_its_frames_and_its_sound(visitors, root, film, tmp_path):
    me = visitors.of("me", root)
    me.note("Tea at four.")
    me.keep(film(tmp_path / "blob.mp4", shades=(40, 200)), "walk.mp4")
    assert me.files["walk.mp4"].kind == "clip"
    watched = [moment for moment in me.timeline() if moment.source == "walk.mp4"]
    assert {moment.modality for moment in watched} == {"image", "audio"}
    html = timeline(watched, me.files)
    assert html.count(">clip</span>") == len(watched)
    assert re.findall('mm-when">(.*?)<', html)[0].startswith("0:00.0")


def test_what_is_given_later_comes_later_on_the_clock_however_long_a_note_is(visitors, root):
    me = visitors.of("me", root)
    me.note("One is red. Two is blue. Three is green. Four is grey.")
    me.note("Two is pink now.")
    starts = {text: moment.start for moment in me.timeline() for text in moment.texts}
    assert starts["Two is pink now."] == max(starts.values())


def test_what_cannot_be_used_is_one_line_by_its_own_name_and_leaves_no_file(visitors, root, tmp_path):
    me = visitors.of("me", root)
    (tmp_path / "blob").write_text("no photo")
    html = told(me.keep(tmp_path / "blob", "my <photo>.jpg"))
    assert html.count('role="alert"') == 1
    assert "my &lt;photo&gt;.jpg: " in html
    assert str(tmp_path) not in html
    assert "gone.jpg: No such file or directory; give it again" in told(me.keep(tmp_path / "gone", "gone.jpg"))
    assert me.files == {}
    assert [path for path in me.folder.iterdir() if path.is_file()] == []


def test_what_is_forgotten_is_deleted_with_its_upload_and_the_rest_stays(visitors, root, upload):
    me = visitors.of("me", root)
    cat = upload("cat.jpg")
    me.keep(cat, "cat.jpg")
    me.note("Tea at four.")
    copy = me.files["cat.jpg"].path
    receipt = me.forget("cat.jpg")
    assert receipt.items == 1
    assert receipt.checks
    assert all(check.passed for check in receipt.checks)
    assert not cat.exists()
    assert not copy.exists()
    assert [moment.source for moment in me.timeline()] == ["note 1"]
    assert list(me.files) == ["note 1"]


def test_an_upload_that_others_use_stays(visitors, root, upload):
    me = visitors.of("me", root)
    cat = upload("cat.jpg")
    me.keep(cat, "cat.jpg", delete=False)
    me.forget("cat.jpg")
    assert cat.exists()


def test_a_question_is_answered_from_what_was_kept_and_before_that_there_is_a_line(visitors, root):
    me = visitors.of("me", root)
    with pytest.raises(InputError, match=r"^nothing was kept yet; "):
        me.ask("Where is the key?")
    with pytest.raises(InputError, match=r"^nothing is chosen; "):
        me.forget(None)
    with pytest.raises(InputError, match=r"^cat\.jpg: no source of this memory; "):
        me.forget("cat.jpg")
    me.note("The key hangs behind the door.")
    assert me.ask("Where is the key?").declined in (True, False)


def test_two_visitors_do_not_share_and_who_leaves_takes_everything_along(visitors, root, upload):
    one, other = visitors.of("one", root), visitors.of("other", root)
    assert visitors.of("one", root) is one
    cat = upload("cat.jpg")
    one.keep(cat, "cat.jpg")
    other.note("Tea at four.")
    assert [moment.source for moment in one.timeline()] == ["cat.jpg"]
    assert [moment.source for moment in other.timeline()] == ["note 1"]
    visitors.leave("one")
    assert not cat.exists()
    assert [folder.name for folder in root.iterdir()] == [other.folder.name]
    assert visitors.of("one", root).timeline() == []
    visitors.close()
    assert list(root.iterdir()) == []


def test_who_did_nothing_for_a_day_is_gone(visitors, root):
    idle = visitors.of("idle", root)
    idle.last -= 86_401
    visitors.of("me", root)
    assert not idle.folder.exists()
