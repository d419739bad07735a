"""A talker's clips are watched as a user's are, by sound, lips and both, and words count where they stand."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import speech
from benchmarks.speech import TEST, Answers, guessed, lead, main, right, share, table
from mm_memgpt.training.speech import CLIPS

WORDS = ["bin", "blue", "at", "f", "two", "now"]


@pytest.fixture(scope="module")
def data(tmp_path_factory, film):
    folder = tmp_path_factory.mktemp("grid")
    clips = [film(folder / f"{number}.mp4", (40 * number, 200), fps=12).read_bytes() for number in range(2)]
    said = [WORDS, ["lay", *WORDS[1:]]]
    for file, rows in ((TEST, [0, 1]), (CLIPS, [0, 1, 1])):
        (folder / file).parent.mkdir(exist_ok=True)
        columns = {
            "video": [{"bytes": clips[row], "path": None} for row in rows],
            "words": [said[row] for row in rows],
            "word_start": [[0.3 * place for place in range(6)] for _ in rows],
            "word_end": [[0.3 * place + 0.2 for place in range(6)] for _ in rows],
        }
        pq.write_table(pa.table(columns), folder / file)
    return folder


@pytest.fixture
def run(data, tiny_model_folder, tmp_path):
    where = ["--data", str(data), "--output", str(tmp_path / "out"), "--part", "test"]
    return lambda *arguments: main([*arguments, *where])


def test_each_way_of_perceiving_has_its_row_and_noise_changes_what_is_heard(run, tiny_model_folder, tmp_path, capsys):
    assert run(str(tiny_model_folder)) == 0
    lines = [line.split(" | ")[0].removeprefix("| ") for line in capsys.readouterr().out.splitlines()[4:]]
    assert lines[:5] == ["sound, quiet", "lips, quiet", "both, quiet", "sound, 0 dB", "both, 0 dB"]
    [file] = (tmp_path / "out").iterdir()
    kept = json.loads(file.read_text())
    assert kept["said"] == [WORDS, ["lay", *WORDS[1:]]]
    assert {len(written) for written in kept["written"].values()} == {2}
    file.write_text(json.dumps({**kept, "written": dict.fromkeys(kept["written"], [" ".join(WORDS)] * 2)}))
    assert run(str(tiny_model_folder)) == 0  # is not measured again
    assert "| both, quiet | 0.917 (" in capsys.readouterr().out


def test_noise_lies_over_the_sound_alone(data, tiny_model_folder, monkeypatch):
    from mm_memgpt.pipeline import load

    listener = speech.Listener(load(tiny_model_folder, device="cpu"))
    [sample, _] = speech.clips_of(data, "test")
    heard = []
    answer = listener.model.answer_each
    monkeypatch.setattr(listener.model, "answer_each", lambda fused, *how: heard.append(fused) or answer(fused, *how))
    ways = [way for way, _ in listener.answers(sample)]
    fused = dict(zip(ways, heard, strict=True))
    assert not fused["sound, quiet"].tokens.equal(fused["sound, 0 dB"].tokens)
    tokens = {way: int(each.mask.sum()) for way, each in fused.items()}
    assert tokens["both, quiet"] == tokens["both, 0 dB"] > tokens["sound, quiet"]


def test_words_count_at_their_own_place():
    sums = right(["Bin blue at f two now.", "blue at f two now", "", "bin blue at f two now and then"], [WORDS] * 4)
    assert sums.tolist() == [[6, 6], [0, 6], [0, 6], [6, 6]]
    assert share(sums).value == 0.5
    assert lead(sums, right(["bin"] * 4, [WORDS] * 4)).value == pytest.approx(8 / 24)


def test_guessing_says_the_most_common_word_of_each_place(data):
    assert guessed(data)(2) == [" ".join(["lay", *WORDS[1:]])] * 2


def test_another_model_is_compared_clip_by_clip():
    ways = ["sound, quiet", "lips, quiet", "both, quiet", "sound, 0 dB", "both, 0 dB"]
    said = [WORDS] * 3
    ours = Answers({way: [" ".join(WORDS)] * 3 for way in ways}, said)
    other = Answers({way: ["bin blue"] * 3 for way in ways}, said)
    rows = table("ours", ours, lambda count: ["now"] * count, other).splitlines()
    assert "| lips, quiet | 1.000 (1.000 to 1.000) | 0.667 (0.667 to 0.667) |" in rows
    assert np.all([line.count("|") in (0, 4) for line in rows[2:]])


def test_a_model_that_cannot_look_closely_is_one_line(run, capsys, monkeypatch, tiny_model_folder):
    from mm_memgpt.pipeline import load

    def blind(name, device):
        model = load(name, device=device)
        model.model.motion_encoder = None
        return model

    monkeypatch.setattr(speech, "load", blind)
    assert run(str(tiny_model_folder)) == 1
    assert "error: this model cannot hear and look closely" in capsys.readouterr().err
