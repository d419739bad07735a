"""Photos and the clips made of them are captioned and stand in one table."""

import pytest


@pytest.fixture
def given(data, tiny_model_folder):
    return lambda *arguments: [str(tiny_model_folder), "--data", str(data), "--beams", "1", *arguments]


def test_photos_and_clips_of_them_stand_side_by_side(given, capsys):
    from benchmarks.clips import main

    assert main(given("--limit", "3")) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert [row[:2] for row in rows] == [["photos", "3"], ["clips of them", "3"], ["clips less photos", "3"]]
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_the_gain_is_that_of_each_clip_over_its_own_photo():
    from benchmarks.clips import Written, gain

    references = [["a dog runs"], ["two men sing"], ["a red boat"]]
    right = [sentences[0] for sentences in references]
    assert gain(Written(right, right, references)) == (0, 0, 0)
    better = gain(Written(["a red boat", *right[1:]], right, references))
    worse = gain(Written(right, ["a red boat", *right[1:]], references))
    assert better.value == -worse.value > 1


def test_what_is_captioned_is_a_file_watched_at_a_frame_a_second(data, tiny_model_folder, monkeypatch):
    from benchmarks.clips import Opened, write
    from mm_memgpt import perception
    from mm_memgpt.datasets.base import read
    from mm_memgpt.datasets.camera import move_of, watched
    from mm_memgpt.pipeline import load

    kept = []

    class Watching(perception.VideoEncoder):
        def encode_moments(self, moments, source, batch):
            moments = list(moments)
            kept.append([(round(moment.start, 3), round(moment.end, 3)) for moment in moments])
            return super().encode_moments(moments, source, batch)

    monkeypatch.setattr(perception, "VideoEncoder", Watching)

    class Given:
        data, part, limit = None, "test", 2

    Given.data = data
    written = write(load(tiny_model_folder, "cpu"), Opened(Given), beams=1)
    samples = list(read(data / "flickr8k" / "test.parquet"))[:2]
    assert kept == [[moment[:2] for moment in watched(each.image, move_of(each.source))] for each in samples]
    assert written.references == [list(each.captions) for each in samples]
    assert [len(captions) for captions in written[:2]] == [2, 2]


def test_a_broken_photo_and_a_missing_model_are_a_line_each_and_the_rest_is_measured(given, data, tmp_path, capsys):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.clips import main

    columns = pq.read_table(data / "flickr8k" / "val.parquet").to_pydict()
    columns["image"][1] = {"bytes": b"no photo", "path": None}
    (tmp_path / "flickr8k").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "flickr8k" / "val.parquet")
    assert main(["no/such", *given("--limit", "3", "--data", str(tmp_path))]) == 1
    said = capsys.readouterr()
    assert "| clips of them | 2 |" in said.out
    errors = said.err.splitlines()
    assert [("val.parquet:1: no photo" in line, "error: no/such" in line) for line in errors] == [(1, 0), (0, 1)]
