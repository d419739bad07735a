"""Evidence is causal: it is what the same words lose when a source is left out before fusion, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mm_memgpt import Text
from mm_memgpt.explain.written import written
from mm_memgpt.recollection.evidence import ALIKE, MOST, grounds, groups_of, logprobs
from mm_memgpt.recollection.joining import join

QUESTION, ANSWER = "What is in the water ?", "brown dog"


@pytest.fixture
def held(memory, photo):
    memory.add([photo(0), photo(1), Text("a dog"), photo(2)])
    return memory, [row.item for row in memory.store.archive.since()]


def test_a_drop_is_what_the_words_lose_where_the_source_was_never_written(held, model):
    memory, items = held
    joined = join(memory.store.state(), memory.store.ledger, memory.store.names, items)
    found = grounds(model.model, model.processor, joined, items, [[0], [1, 2]], QUESTION, ANSWER)
    text = written(model.model, model.processor, f"{QUESTION} {ANSWER}")
    assert found.words == ("brown", "dog")

    def naive(kept):
        if not kept:
            return logprobs(model.model, model.bank.empty(dtype=torch.float64), text)[0, -2:]
        state = model.bank.empty(dtype=torch.float64)
        rest = join(state, memory.store.ledger, memory.store.names, [items[place] for place in kept])
        order = torch.tensor([[joined.state.arrival[0, joined.own[place]] for place in kept]])
        numbers = torch.tensor([[joined.state.source[0, joined.own[place]] for place in kept]])
        return logprobs(model.model, rest.state._replace(arrival=order, source=numbers), text)[0, -2:]

    full = naive([0, 1, 2, 3])
    torch.testing.assert_close(found.logprob, full, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.drops[0], full - naive([1, 2, 3]), atol=2e-4, rtol=0)
    torch.testing.assert_close(found.drops[1], full - naive([0, 3]), atol=2e-4, rtol=0)
    assert found.grounded == pytest.approx(float((full - naive([])).sum()), abs=1e-3)


def test_near_duplicates_are_one_group_and_pieces_of_a_sound_too(held):
    _, items = held
    twin = replace(items[0], id="twin", key=items[0].key.copy())
    close = items[0].key.astype(float) @ items[1].key.astype(float) > ALIKE
    first, *rest = groups_of([*items, twin])
    assert 0 in first
    assert 4 in first
    assert (1 in first) == close
    assert [2] in rest
    sound = replace(items[2], modality="audio", source="s", key=items[2].key)
    other = replace(sound, key=np.roll(sound.key, 3))
    assert groups_of([sound, other]) == [[0, 1]]


def test_at_most_so_many_groups_are_left_out(held):
    _, items = held
    keys = np.eye(MOST + 5, dtype=np.float16)
    assert len(groups_of([replace(items[0], key=key) for key in keys])) == MOST
