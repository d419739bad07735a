"""Summaries that a model writes: by its own decoding or as long as asked, with sources, and from a folder."""

import pytest

from mm_memgpt.datasets.document import placed
from mm_memgpt.summaries import load_summarizer
from mm_memgpt.tasks.summary import Length
from mm_memgpt.tasks.summary_writing import SummaryWriting
from mm_memgpt.tasks.tracing import leaving_out, trace
from mm_memgpt.tasks.writing_model import read_writer
from mm_memgpt.types import InputError, Text

DOCUMENT = "A brown dog runs through the grass. Two children play in the water. A man climbs a rock."


@pytest.fixture(params=[False, True], ids=["text", "memory"])
def writer(request, tiny_model_folder):
    model = read_writer(tiny_model_folder, "cpu")
    options = {"remember": request.param, "decoding": {"longest": 12}}
    model.task = SummaryWriting({"text": "text", "label": "summary"}, (), options)
    return model


def test_leaving_a_sentence_out_of_text_or_memory_is_scored(writer):
    document, text = placed(DOCUMENT), "A dog runs. Two men play."
    groups = [[0], [1], [2]]
    falls = leaving_out(writer, writer.task.from_sentences, document, groups, text, placed(text))
    assert (len(falls), len(falls[0])) == (2, 3)
    assert any(fall != 0 for each in falls for fall in each)
    found = trace(writer, writer.task.from_sentences, document, text)
    assert [sentence.text for sentence in found.sentences] == ["A dog runs.", "Two men play."]
    for source in (source for sentence in found.sentences for source in sentence.sources):
        assert DOCUMENT[source.start : source.end] == source.text


def test_a_folder_of_one_that_writes_summarises_like_any_other(writer, tmp_path):
    writer.save(tmp_path / "saved")
    summarizer = load_summarizer(tmp_path / "saved", "cpu")
    found = summarizer(Text(DOCUMENT), Length(sentences=1))
    assert len(found.sentences) <= 1
    assert found.of_sentences == 3
    assert summarizer(Text(DOCUMENT), Length(words=4)).of_words == 18
    with pytest.raises(InputError, match="text: holds no sentence"):
        summarizer(Text(" "))


def test_a_model_of_another_task_is_refused(model_of, tmp_path):
    from mm_memgpt.tasks.classification import Classification

    model_of(Classification({"text": "text", "label": "label"}, ("no", "yes"))).save(tmp_path / "other")
    with pytest.raises(InputError, match="a model of classification; give one of summarization, or nano"):
        load_summarizer(tmp_path / "other", "cpu")
