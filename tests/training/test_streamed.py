"""A stream, read front to back, gives item i the same sample whoever asks; a broken one is replaced by the next."""

import pickle
from collections import Counter
from functools import partial
from random import Random

import pytest
from torch.utils.data import DataLoader

from mm_memgpt.datasets.encoded import Encoded
from mm_memgpt.training.skipped import Skipped
from mm_memgpt.training.stream import ATTEMPTS, SampleStream, Source, StreamedSamples, first_usable
from mm_memgpt.types import InputError, Sample


def pieces(name: str, rows: int, broken: tuple[int, ...] = (), shuffle=None):
    """Two shards of samples without a photo; a broken row comes as what is wrong with it."""
    shards = [range(rows // 2), range(rows // 2, rows)]
    shuffle(shards)
    for row in (row for shard in shards for row in shard):
        yield InputError(f"{name}:{row}: broken") if row in broken else Encoded(f"{name}:{row}", None, ("words",))


def note(sample: Sample, generator: Random) -> tuple[str, float]:
    return sample.source, generator.random()


def picky(sample: Sample, generator: Random) -> str:
    if sample.source == "a:3":
        raise InputError("a:3: no good")
    return sample.source


def streamed(seed: int = 3, buffer: int = 4, length: int = 40, transform=note, **changes) -> StreamedSamples:
    streams = [partial(pieces, "a", 7), partial(pieces, "b", 6)]
    return StreamedSamples(changes.pop("streams", streams), buffer, length, seed, transform, **changes)


def items(samples: StreamedSamples) -> list:
    return [samples[index] for index in range(len(samples))]


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("batch", [None, 2])
def test_the_number_of_workers_changes_nothing(workers, batch):
    loader = DataLoader(streamed(), batch_size=batch, num_workers=workers, collate_fn=lambda given: given)
    found = list(loader) if batch is None else [item for batch in loader for item in batch]
    assert found == items(streamed())


def test_a_run_that_begins_in_the_middle_sees_what_the_whole_run_sees():
    due = items(streamed())
    assert [streamed()[index] for index in (17, 39)] == [due[17], due[39]]
    samples = streamed()
    assert [samples[index] for index in (20, 21, 5, 6)] == [due[20], due[21], due[5], due[6]]
    assert items(pickle.loads(pickle.dumps(samples))) == due


def test_each_pass_gives_every_sample_once_in_another_order():
    names = [name for name, _ in items(streamed(length=39))]
    passes = [names[start : start + 13] for start in (0, 13, 26)]
    assert all(Counter(one) == Counter(passes[0]) for one in passes)
    assert len(set(passes[0])) == 13
    assert passes[0] != passes[1] != passes[2]


def test_the_seed_decides_the_order_and_every_draw():
    assert items(streamed(seed=3)) == items(streamed(seed=3))
    assert items(streamed(seed=3)) != items(streamed(seed=4))
    assert not {draw for _, draw in items(streamed(seed=3))} & {draw for _, draw in items(streamed(seed=4))}


def test_a_broken_sample_is_noted_and_left_out(tmp_path):
    skipped = Skipped(tmp_path / "output" / "skipped.jsonl")
    streams = [partial(pieces, "a", 7, (2, 5))]
    names = [name for name, _ in items(streamed(streams=streams, length=10, skip=skipped))]
    assert set(names) == {f"a:{row}" for row in (0, 1, 3, 4, 6)}
    assert skipped.all() == ["a:2: broken", "a:5: broken"]
    with pytest.raises(InputError, match="a:2: broken"):
        items(streamed(streams=[partial(pieces, "a", 7, (2,))], length=7))


def test_the_next_stands_in_for_a_sample_that_cannot_be_opened(tmp_path):
    skipped = Skipped(tmp_path / "skipped.jsonl")
    names = items(streamed(transform=picky, skip=skipped))
    whole = [name for name, _ in items(streamed())]
    due = [whole[i + 1] if name == "a:3" else name for i, name in enumerate(whole)]
    assert names == due
    assert skipped.all() == ["a:3: no good"]
    loader = DataLoader(streamed(transform=picky, skip=skipped), batch_size=None, num_workers=2)
    assert list(loader) == due


def test_streams_without_a_sample_end_the_run():
    with pytest.raises(InputError, match="the streamed sources hold no sample that can be read"):
        streamed(streams=[partial(pieces, "a", 0)])[0]
    with pytest.raises(InputError, match="hold no sample"):
        streamed(streams=[partial(pieces, "a", 2, (0, 1))], skip=lambda error: None)[0]


class Rows(list):
    """A reader of which some samples are broken."""

    def __getitem__(self, index):
        if index % 3 == 1:
            raise InputError(f"row {index} is broken")
        return super().__getitem__(index)


def test_in_a_reader_another_sample_stands_in_and_the_rest_of_the_run_is_the_same(tmp_path):
    whole = [Sample(source=f"a:{row}") for row in range(9)]
    skipped = Skipped(tmp_path / "skipped.jsonl")
    sound, broken = (
        SampleStream([reader], [Source(path="a")], 3, 5, note, skip)
        for reader, skip in ((whole, None), (Rows(whole), skipped))
    )
    pairs = [(sound[index], broken[index]) for index in range(27)]
    assert all(theirs == ours for ours, theirs in pairs if int(ours[0][2:]) % 3 != 1)
    assert all(int(theirs[0][2:]) % 3 != 1 for _, theirs in pairs)
    assert skipped.all() == [f"row {row} is broken" for row in (1, 4, 7)]
    assert [broken[index] for index in reversed(range(27))] == [theirs for _, theirs in reversed(pairs)]


def test_where_every_sample_is_broken_the_last_is_named():
    tried = []
    with pytest.raises(InputError, match=f"{ATTEMPTS} samples in a row cannot be used; the last: 9 is bad"):
        first_usable(range(ATTEMPTS), lambda place: picky_number(place), tried.append)
    assert len(tried) == ATTEMPTS


def picky_number(place: int) -> None:
    raise InputError(f"{place} is bad")
