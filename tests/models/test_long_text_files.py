"""Claims about readers of long text in folders, and about files that they read."""

import pytest
import torch

from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.long_text_files import read_reader, save, start
from mm_memgpt.models.long_text_stream import read_file, read_segments, segments
from mm_memgpt.types import InputError

SMALL = {"segment": 6, "window": 7, "items": 3, "slots": 8, "ring": 2, "key_width": 5}
TEXTS = ("A brown dog runs.", "Two children play in the water!", "A man climbs a rock.")


@pytest.mark.parametrize("writes", ["decoder", "encoder", "recurrent"])
def test_a_saved_reader_reads_as_it_did(tiny_model_folder, tmp_path, writes):
    tokens = 4 if writes == "encoder" else 1
    reader = start(str(tiny_model_folder), LongTextConfig(**SMALL, writes=writes, tokens=tokens))
    reader.model.half().float().eval()  # weights are kept in fp16
    save(reader, tmp_path / "kept")
    again = read_reader(tmp_path / "kept")
    ours, theirs = (
        torch.cat([passage.loss for passage in read_segments(each, segments(TEXTS, each))]) for each in (reader, again)
    )
    torch.testing.assert_close(ours, theirs)
    assert again.model.reads == reader.model.reads


def test_a_reader_begins_with_the_language_model_of_its_start(tiny_model_folder):
    from mm_memgpt.models.loading import read_model

    base, _ = read_model(tiny_model_folder)
    reader = start(str(tiny_model_folder), LongTextConfig(**SMALL))
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(reader.model.decoder(ids).logits, base.decoder(ids).logits)


def test_a_file_is_read_in_segments_that_know_their_sentences(tiny_model_folder, tmp_path):
    reader = start(str(tiny_model_folder), LongTextConfig(**SMALL))
    reader.model.eval()
    file = tmp_path / "notes.txt"
    file.write_text("\n".join(TEXTS), encoding="utf-8")
    passages = list(read_file(reader, file))
    ids = torch.cat([passage.segment.ids for passage in passages], dim=1)
    assert reader.tokenizer.decode(ids[0]).strip() == " ".join(TEXTS)
    place = torch.cat([passage.segment.place for passage in passages], dim=1)[0]
    assert place.diff().min() >= 0
    assert place[-1] == 2
    assert all(passage.segment.ids.shape[1] == 6 for passage in passages[:-1])


def test_a_text_may_go_on_in_another_file(tiny_model_folder):
    reader = start(str(tiny_model_folder), LongTextConfig(**SMALL))
    reader.model.eval()
    parts = list(segments(TEXTS, reader))
    whole = [passage.loss for passage in read_segments(reader, parts)]
    first = list(read_segments(reader, parts[:2]))
    rest = [passage.loss for passage in read_segments(reader, parts[2:], first[-1].state)]
    torch.testing.assert_close(torch.cat(whole[2:]), torch.cat(rest))


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty"), (b"\x00\x01" * 9, "holds binary data, not text; name a plain text file")]
)
def test_what_is_no_text_is_refused_before_the_first_segment(tiny_model_folder, tmp_path, content, message):
    reader = start(str(tiny_model_folder), LongTextConfig(**SMALL))
    (tmp_path / "odd.txt").write_bytes(content)
    with pytest.raises(InputError, match=f"odd.txt: .*{message}"):
        read_file(reader, tmp_path / "odd.txt")


def test_a_folder_without_a_reader_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no reader of long text .*; give a folder that its training wrote"):
        read_reader(tmp_path)
