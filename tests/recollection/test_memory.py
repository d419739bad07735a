"""A memory outlives the process, is found again by words, pictures and sounds, and forgets when told to."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mm_memgpt import Text
from mm_memgpt.memory.where import Where
from mm_memgpt.pipeline import load
from mm_memgpt.types import InputError

RATE = 16_000
TONE = (0.5 * np.sin(np.arange(3 * RATE) * 0.17)).astype(np.float32)


def test_words_a_photo_and_a_sound_find_what_they_are_of(memory, files, photo):
    memory.add([photo(seed) for seed in range(2, 9)])
    memory.add([files["a.png"], files["tone.wav"], files["diary.txt"]])
    assert memory.search(files["a.png"])[0].source == str(files["a.png"].resolve())
    assert memory.search(photo(5), k=1)[0].start == 3.0
    assert memory.search((TONE, RATE))[0].modality == "audio"
    hit = memory.search("where is the car?")[0]
    assert (hit.text, hit.source) == ("The car is on level three.", str(files["diary.txt"].resolve()))
    assert memory.search(Text("where is the car?"))[0] == hit


def test_a_sound_is_one_hit_and_a_filter_holds(memory, files):
    memory.add([files["tone.wav"], files["a.png"], Text("a tone")])
    hits = memory.search("a tone", k=10)
    assert [hit.modality for hit in hits].count("audio") == 1
    assert {hit.modality for hit in memory.search("a tone", where=Where(modality="image"))} == {"image"}


def test_the_timeline_says_what_each_slot_holds_and_what_merged(memory, model, photo, files):
    memory.add([files["tone.wav"], *(photo(seed) for seed in range(model.bank.capacity)), files["diary.txt"]])
    moments = memory.timeline()
    assert len(moments) == model.bank.capacity
    assert sum(moment.items for moment in moments) == len(memory)
    assert sorted(item_id for moment in moments for item_id in moment.ids) == sorted(
        row.item.id for row in memory.store.archive.since()
    )
    assert all(moment.merged == (moment.items > 1) for moment in moments)
    assert any(moment.merged for moment in moments)
    assert [moment.start for moment in moments] == sorted(moment.start for moment in moments)
    [sleeps] = [moment for moment in moments if "The dog sleeps." in moment.texts]
    assert (sleeps.modality, sleeps.source) == ("text", str(files["diary.txt"].resolve()))
    assert next(moment for moment in moments if moment.modality == "image").preview


def test_photos_of_one_name_are_hits_of_their_own(memory, photo):
    memory.add([photo(seed) for seed in range(3)], source="trip")
    assert len(memory.search(photo(1))) == 3


@pytest.mark.parametrize("how", ["path", "relative", "name", "ids", "where"])
def test_what_is_forgotten_is_gone_however_it_is_named(memory, files, how, monkeypatch):
    memory.add([files["diary.txt"], files["a.png"]])
    memory.add(Text("the lamp is red"), source="my note")
    monkeypatch.chdir(files["a.png"].parent)
    path = str(files["diary.txt"].resolve())
    ids = [item_id for _, item_id in memory.store.archive.find(Where(source=path))]
    what = {"path": files["diary.txt"], "relative": "diary.txt", "ids": ids, "where": Where(source=path)}
    receipt = memory.forget(what.get(how, "my note"))
    assert receipt.items == (1 if how == "name" else 3)
    assert all(check.passed for check in receipt.checks)
    gone = "The car is on level three." if how != "name" else "the lamp is red"
    assert gone not in [hit.text for hit in memory.search(gone)]
    with pytest.raises(InputError, match="nothing of it is in"):
        memory.forget(what.get(how, "my note"))


def test_what_is_forgotten_can_be_added_again(memory, files):
    memory.add(files["a.png"])
    memory.forget(files["a.png"])
    assert memory.add(files["a.png"]).items == 1


ANSWER = """
import json, sys
from mm_memgpt.pipeline import load
with load(sys.argv[1], device="cpu").memory(sys.argv[2], read_only=True) as memory:
    answers = [memory.ask(question) for question in sys.argv[3:]]
    print(json.dumps([repr(answer) for answer in answers] + [repr(memory.timeline())]))
"""


def test_a_new_process_gives_the_same_answer_to_the_bit(model, tiny_model_folder, tmp_path, files, photo):
    questions = ["What is in the second photo?", "Where is the car?", "Where is the lamp?"]
    with model.memory(tmp_path / "m") as memory:
        memory.add([*(photo(seed) for seed in range(model.bank.capacity + 3)), files["diary.txt"]])
        said = [repr(memory.ask(question)) for question in questions] + [repr(memory.timeline())]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ANSWER, str(tiny_model_folder), str(tmp_path / "m"), *questions]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert json.loads(output.splitlines()[-1]) == said


def test_readers_go_on_while_one_adds(memory, photo):
    memory.add([photo(0), Text("the red lamp is in the kitchen")])
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(3):
                assert memory.ask("Where is the red lamp?").text == "the red lamp is in the kitchen"
                memory.search("a lamp")
                memory.timeline()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for seed in range(1, 6):
        memory.add(photo(seed))
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(memory) == 7


def test_a_memory_that_may_only_be_read_is_not_written(memory, model, photo):
    memory.add(photo(0))
    with model.memory(memory.address, read_only=True) as reader:
        assert len(reader.timeline()) == 1
        for write in (lambda: reader.add(photo(1)), lambda: reader.forget("x"), lambda: reader.watch("x.mp4")):
            with pytest.raises(InputError, match="opened read-only"):
                write()
        memory.add(photo(1))
        assert len(reader.timeline()) == 2


def test_watching_says_and_adds_as_it_goes(memory, model, film, tmp_path):
    clip = film(tmp_path / "clip.mkv", shades=(40, 200))
    memory.add(Text("before"))
    glimpses = list(memory.watch(clip, beams=1))
    assert [glimpse._replace(state=None) for glimpse in glimpses] == [
        glimpse._replace(state=None) for glimpse in model.watch(clip, beams=1)
    ]
    assert len(memory) == 1 + len(glimpses)
    origin = memory.store.archive.sources()[str(clip.resolve())]
    assert origin.modalities == ("audio", "image")
    assert origin.start == 0.0
    assert memory.add(clip).items == 0
    with pytest.raises(InputError, match="is there already"):
        memory.watch(clip)


def test_what_was_watched_until_it_was_stopped_is_kept(memory, film, tmp_path):
    watching = memory.watch(film(tmp_path / "clip.mkv", shades=(40, 200, 90)), beams=1)
    next(watching)
    watching.close()
    assert len(memory) == 1


def test_info_and_summary_are_of_all_there_is(memory, files):
    memory.add([files["a.png"], files["diary.txt"]])
    info = memory.info()
    assert (info["items"], info["sources"], info["slots"]) == (4, 2, 4)
    assert info["modalities"] == {"image": 1, "audio": 0, "text": 3}
    assert memory.summarize(beams=1) == memory.summarize(beams=1)
    assert all(check.passed for check in memory.verify())


def test_another_encoder_is_refused_until_it_has_perceived_all_anew(memory, tiny_model_folder, files, photo):
    memory.add([files["a.png"], files["b.png"], photo(3), files["diary.txt"]])
    texts = [row.item.text for row in memory.store.archive.since()]
    memory.close()
    other = load(tiny_model_folder, device="cpu")
    other.model.image_encoder.requires_grad_(False)
    next(other.model.image_encoder.parameters()).add_(0.5)
    with pytest.raises(InputError, match="re-encode"):
        other.memory(memory.address)
    files["b.png"].unlink()
    added = other.reencode(memory.address)
    assert added.errors == ()
    assert len(added.skipped) == 2  # the lost file and the photo that never was one, from their previews
    with other.memory(memory.address) as anew:
        assert [row.item.text for row in anew.store.archive.since()] == texts
        assert anew.add(files["a.png"]).items == 0
        fresh = other.encode(files["a.png"])
        np.testing.assert_allclose(
            next(anew.store.archive.since()).item.key.astype(float), fresh.key[0, 0].double().numpy(), atol=2e-3
        )
    assert not list(Path(memory.address).parent.glob("*.before-*"))


def test_a_query_that_is_none_is_said_in_a_line(memory, photo):
    memory.add(photo(0))
    for query, k, says in (("  ", 10, "nothing to search for"), ("x", 0, "k 0 must be at least 1")):
        with pytest.raises(InputError, match=says):
            memory.search(query, k)
