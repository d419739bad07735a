"""Claims about the benchmark of long text: its intervals, its page, and what it counts."""

import math

import pytest

from benchmarks.long_text_cost import multiply_adds
from benchmarks.long_text_page import ahead, mean, write_page
from benchmarks.long_text_results import Results
from mm_memgpt.models.long_text_config import LongTextConfig
from mm_memgpt.models.long_text_files import start
from mm_memgpt.types import InputError

MARKS = "".join(f"<!-- {name}:start -->\nold\n<!-- {name}:end -->\n" for name in ("perplexity", "cost"))


def blocks(*losses: float) -> list[dict]:
    return [{"loss": loss, "number": n, "words": 5, "bytes": 30} for n, loss in enumerate(losses)]


def test_the_loss_is_a_mean_over_units_and_the_lead_is_block_by_block():
    assert mean(blocks(20, 40), [10, 10]).value == pytest.approx(3)
    lead = ahead(blocks(30, 50, 70), blocks(20, 40, 40), 10, behind=-1)
    assert lead.value == pytest.approx(5 / 3)
    assert lead.low == pytest.approx(1)
    assert ahead(blocks(30, 50, 70), blocks(20, 40, 40), 10, behind=1).value == pytest.approx(3)


def test_the_page_has_both_tables_between_their_markers(tmp_path):
    results, page = Results(tmp_path / "results.json"), tmp_path / "page.md"
    results.keep("bank", perplexity={"blocks": blocks(30, 30), "tokens": 20})
    mark = {"tokens": 1000, "milliseconds": 1.5, "state": 2048, "process": 2**20}
    results.keep("bank", cost={"multiply_adds": 6e6, "marks": [mark]})
    results.keep("none", perplexity={"blocks": blocks(31, 31), "tokens": 20})
    page.write_text(f"before\n{MARKS}after\n", encoding="utf-8")
    write_page(page, results)
    text = page.read_text(encoding="utf-8")
    assert f"{math.exp(3):.2f}" in text
    assert "0.100 (0.100 to 0.100)" in text
    assert "| 6.00 |" in text
    assert "| 1,000 | 1.50 | 2 | 2.0 | 1 |" in text
    assert "old" not in text
    assert text.endswith("after\n")


def test_without_figures_there_is_no_page(tmp_path):
    with pytest.raises(InputError, match="nothing measured yet"):
        write_page(tmp_path / "page.md", Results(tmp_path / "results.json"))


def test_multiply_adds_are_those_of_the_decoder_and_of_what_it_reads(tiny_model_folder):
    sizes = {"segment": 8, "window": 16}
    none = start(str(tiny_model_folder), LongTextConfig(**sizes, writes="none"))
    model = none.model.decoder.config
    layer = 4 * model.hidden_size**2 + 3 * model.hidden_size * model.intermediate_size
    attention = 2 * model.hidden_size * (sizes["window"] + sizes["segment"])
    due = model.num_hidden_layers * (layer + attention) + model.hidden_size * model.vocab_size
    assert multiply_adds(none) == pytest.approx(due)
    bank = {"items": 4, "slots": 12, "ring": 2, "key_width": 6}
    reader = start(str(tiny_model_folder), LongTextConfig(**sizes, **bank))
    d = model.hidden_size
    copying = d * d + d + d * 12
    writing = 4 / 8 * (d * d + d * 6 + 3 * 12 * 6)
    assert multiply_adds(reader) == pytest.approx(due + copying + writing)
    reader = start(str(tiny_model_folder), LongTextConfig(**sizes, **bank, copies=False))
    reading = 2 * d * d + 2 * d * (1 + 12)
    writing = 4 / 8 * (2 * d * 2 * d + d * 6 + 3 * 12 * 6)
    assert multiply_adds(reader) == pytest.approx(due + reading + writing)
