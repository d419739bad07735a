"""A memory that is told facts keeps each once a source, finds and quotes them, and forgets them to the last byte."""

import os
import subprocess
import sys
from math import inf, nan
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mm_memgpt import Text
from mm_memgpt.datasets.triples import Triple
from mm_memgpt.knowledge.linking import Linker
from mm_memgpt.memory.where import Where
from mm_memgpt.recollection import knowing
from mm_memgpt.types import Fact, InputError

BERLIN = ("Berlin", "capital_of", "Germany")
PARIS = ("Paris", "capital_of", "France")
BONN = Fact("Bonn", "capital_of", "Germany", since=-650_000_000.0, until=654_912_000.0)


def triples_of(memory, **how) -> list[tuple[str, str, str]]:
    return [known.fact[:3] for known in memory.facts(**how)]


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def bytes_of(memory) -> bytes:
    return b"".join(path.read_bytes() for path in Path(memory.address).rglob("*") if path.is_file())


def test_one_fact_several_and_files_are_all_told(memory, tmp_path):
    path = written(tmp_path / "more.tsv", "Rome\tcapital_of\tItaly")
    assert memory.knows(BERLIN).items == 1
    assert memory.knows(BONN).items == 1
    assert memory.knows([list(PARIS), path, Triple("Elba", "part_of", "Italy", since=-8e9)]).items == 3
    assert memory.knows(path, source="atlas").sources == ("atlas",)
    assert [(known.fact.head, known.source) for known in memory.facts()] == [
        ("Berlin", "facts"),
        ("Bonn", "facts"),
        ("Paris", "facts"),
        ("Rome", str(path)),
        ("Elba", "facts"),
        ("Rome", "atlas"),
    ]
    assert memory.facts()[1].fact == BONN
    assert memory.facts()[4].fact == Fact("Elba", "part_of", "Italy", -8e9, inf)


def test_a_fact_is_found_and_quoted_as_a_note_is(memory):
    memory.add(Text("The lamp is in the kitchen."))
    memory.knows([PARIS, BERLIN])
    hit = memory.search("the capital of Germany")[0]
    assert (hit.text, hit.fact) == ("Berlin is the capital of Germany", Fact(*BERLIN))
    answer = memory.ask("What is the capital of Germany?")
    assert answer.text == "Berlin is the capital of Germany"
    assert answer.sources[0].fact == Fact(*BERLIN)
    assert {source.fact for source in answer.sources if source.text.startswith("The lamp")} == {None}
    shown = {moment.texts: moment.facts for moment in memory.timeline()}
    assert shown[("The lamp is in the kitchen.",)] == ()
    assert shown[("Paris is the capital of France",)] == (Fact(*PARIS),)
    assert [hit.fact for hit in memory.search("capital", where=Where(facts=False))] == [None]
    assert memory.info()["facts"] == 2


def test_the_same_fact_of_the_same_source_is_kept_once(memory):
    memory.knows([BERLIN, BERLIN, PARIS], source="atlas")
    added = memory.knows([BERLIN, BONN, Fact(*BERLIN, since=0.0)], source="atlas")
    assert (added.items, added.skipped) == (2, (("atlas", "1 fact is there already; nothing was added twice"),))
    assert memory.knows(BERLIN, source="wiki").items == 1
    assert len(memory) == 5


def test_what_two_say_stays_when_one_is_forgotten(memory):
    for source in ("atlas", "wiki"):
        memory.knows([BERLIN, PARIS], source=source)
    memory.forget("atlas")
    assert {known.source for known in memory.facts()} == {"wiki"}
    assert memory.graph().sources.tolist() == ["wiki", "wiki"]


@pytest.mark.parametrize("how", ["source", "ids", "where"])
def test_nothing_of_what_is_forgotten_remains_anywhere(memory, how):
    gone = Fact(
        "Mordenheim", "lies_under", "Quellstadt-an-der-Ulm", head_name="Old Mordenheim", relation_name="beneath"
    )
    memory.knows([BERLIN, PARIS], source="wiki")
    before = memory.store.state()
    memory.knows(gone, source="grimoire")
    kept = bytes_of(memory)
    for word in (*gone[:3], *gone[5:7], "grimoire"):
        assert word.encode() in kept  # so that it would be seen
    [known] = memory.facts(about="old mordenheim")
    receipt = memory.forget({"source": "grimoire", "ids": [known.id], "where": Where(source="grimoire")}[how])
    assert "bytes of fact" in [check.name for check in receipt.checks if check.passed]
    assert triples_of(memory) == [BERLIN, PARIS]
    assert gone.head not in memory.graph().entities
    assert gone not in [hit.fact for hit in memory.search("Old Mordenheim")]
    after = memory.store.state()
    for name in ("sums", "count", "key_sums", "items"):  # in whichever slot: sums of what is left are exact
        assert getattr(after, name).sum(1).equal(getattr(before, name).sum(1)), name
    assert all(check.passed for check in memory.verify())
    left = bytes_of(memory)
    assert not [word for word in (*gone[:3], *gone[5:7], "grimoire") if word.encode() in left]
    assert b"Berlin" in left


def test_words_that_the_table_has_itself_are_no_hindrance_to_forgetting(memory):
    memory.knows(BERLIN, source="wiki")
    memory.knows([("position", "relation", "fingerprint"), ("operator", "modality", "01056369")], source="atlas")
    memory.knows([(f"{number:08}", "language", "metadata") for number in range(10_000_000, 10_000_100)], source="atlas")
    assert memory.forget("atlas").items == 102
    assert triples_of(memory) == [BERLIN]


def test_a_name_or_an_identifier_says_what_a_fact_is_about(memory):
    names = {"q64": "Berlin", "q183": "Germany", "q7": "Berlin"}
    memory.knows([("q64", "capital_of", "q183"), ("q7", "sank_in", "q9"), ("q183", "part_of", "q46")], names=names)
    assert triples_of(memory, about="BERLIN") == [("q64", "capital_of", "q183"), ("q7", "sank_in", "q9")]
    assert triples_of(memory, about="q64") == [("q64", "capital_of", "q183")]
    assert triples_of(memory, about="germany", most=1) == [("q64", "capital_of", "q183")]
    assert "Berlin is the capital of Germany" in [hit.text for hit in memory.search("Berlin")]
    with pytest.raises(InputError, match=r"^no entity 'Berlim'; did you mean berlin\?$"):
        memory.facts(about="Berlim")
    with pytest.raises(InputError, match="most 0 must be at least 1"):
        memory.facts(most=0)


def test_two_entities_of_one_name_stay_two(memory):
    memory.knows([("q64", "in", "q183"), ("q7", "in", "q9")], names={"q64": "Berlin", "q7": "Berlin"})
    graph = memory.graph()
    assert [graph.entities[number] for number in graph.find("berlin")] == ["q64", "q7"]
    [mention] = Linker(graph).link("Two weeks in Berlin.")
    assert mention.is_ambiguous


def test_cycles_and_self_loops_are_facts_like_others(memory):
    told = [("a", "next", "b"), ("b", "next", "c"), ("c", "next", "a"), ("a", "likes", "a")]
    assert memory.knows(told).items == 4
    assert triples_of(memory, about="a") == [told[0], told[2], told[3]]
    graph = memory.graph()
    assert len(graph.around(graph.find("a"), hops=9).triples) == 4
    assert memory.forget("facts").items == 4
    assert len(memory.graph()) == 0


@pytest.mark.parametrize(
    ("at", "capitals"),
    [("1949", ["Bonn"]), ("1990-10-02", ["Bonn"]), ("1990-10-03", ["Berlin"]), (7e8, ["Berlin"]), ("1900", [])],
)
def test_only_what_holds_at_a_time_is_told_then(memory, tmp_path, at, capitals):
    rows = ["Bonn\tcapital_of\tGermany\t1949\t1990-10-03", "Berlin\tcapital_of\tGermany\t1990-10-03\t"]
    memory.knows(written(tmp_path / "facts.tsv", "head\trelation\ttail\tfrom\tuntil", *rows))
    assert [head for head, _, _ in triples_of(memory, at=at)] == capitals
    assert [memory.graph(at).says(number)[0] for number in range(len(memory.graph(at)))] == capitals
    assert len(memory.graph()) == 2


@pytest.mark.parametrize("at", ["soon", nan, "", inf])
def test_a_time_that_is_none_is_refused_in_a_line(memory, at):
    for ask in (memory.facts, memory.graph):
        with pytest.raises(InputError, match="in at is no time; write 1999"):
            ask(at=at)


def test_a_row_that_cannot_be_used_costs_its_own_line(memory, tmp_path):
    path = written(
        tmp_path / "facts.tsv", "Berlin\tcapital_of\tGermany", "Bonn\tcapital_of", "Paris\tcapital_of\tFrance"
    )
    empty, comment = written(tmp_path / "empty.tsv"), written(tmp_path / "comment.tsv", "# nothing yet")
    empty.write_bytes(b"")
    added = memory.knows([tmp_path / "gone.tsv", path, empty, comment, tmp_path / "facts.png"])
    assert added.items == 2
    gone, broken, nothing, words, kind = (str(error).removeprefix(f"{tmp_path}/") for error in added.errors)
    assert gone.startswith("gone.tsv: ")
    assert broken.startswith("facts.tsv:2: has 2 cells, but head, relation, tail are 3; ")
    assert nothing.startswith("empty.tsv: ")
    assert words == "comment.tsv: holds no fact; write head, relation and tail, one fact a line"
    assert kind.startswith("facts.png: no triples are read from .png; ")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (("Berlin", "capital_of"), "2 parts, where a fact is (head, relation, tail); a Fact also says for how long"),
        ({"head": "Berlin"}, "a dict, where a fact is (head, relation, tail); a Fact also says for how long"),
        (("Berlin", " ", "Germany"), "no relation; give one as a text, or leave the fact out"),
        (("Berlin", "in", None), "no tail; give one as a text, or leave the fact out"),
        (Fact(*BERLIN, since=nan), "nan in since is no time; give seconds in Unix time, or leave it out"),
        (Fact(*BERLIN, since=2.0, until=1.0), "holds until 1.0, not after 2.0; give the later time last"),
        (Fact(*BERLIN, until="soon"), "'soon' in until is no time; write 1999, 1999-12-31 or 1999-12-31T23:59:00"),
        (("Berlin", "in", "\udcff"), "holds what is no character; give texts that UTF-8 can hold"),
    ],
)
def test_what_is_no_fact_is_told_by_its_number(memory, value, says):
    added = memory.knows([PARIS, value, BERLIN])
    assert (added.items, [str(error) for error in added.errors]) == (2, [f"fact 2: {says}"])


def test_parquet_rows_are_chosen_and_named(memory, tmp_path):
    rows = {"head": ["q1", "q2"], "relation": ["in", "in"], "tail": ["q3", "q3"], "part": ["a", "b"]}
    pq.write_table(pa.table(rows), tmp_path / "facts.parquet")
    names = written(tmp_path / "names.tsv", "q1\tOslo, a city", "q3\tNorway, a land", "broken")
    added = memory.knows(tmp_path / "facts.parquet", names=names, split_at=", ", where={"part": "a"})
    assert added.items == 1
    assert str(added.errors[0]).startswith(f"{names}:3: ")
    assert memory.search("Oslo")[0].text == "Oslo in Norway"
    with pytest.raises(InputError, match=r"gone\.tsv: "):  # or facts would be kept under identifiers
        memory.knows(BERLIN, names=tmp_path / "gone.tsv")
    assert len(memory) == 1


def test_labels_in_n_triples_name_what_stands_before_them(memory, tmp_path):
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    path = written(
        tmp_path / "facts.nt",
        "<http://x.org/q1> <http://x.org/in> <http://x.org/q3> .",
        '<http://x.org/q1> <http://x.org/motto> "Ever on"@en .',
        f'<http://x.org/q1> {label} "Oslo" .',
    )
    assert memory.knows(path).items == 2
    assert {hit.text for hit in memory.search("Oslo")} == {"Oslo in q3", "Oslo motto Ever on"}
    assert [known.fact.tail for known in memory.facts(about="Ever on")] == ['"Ever on"@en']


def test_facts_are_kept_at_one_moment_behind_what_is_there_or_when_it_is_said(memory):
    memory.add([Text("one"), Text("two")], time=[5.0, 8.0])
    memory.knows([BERLIN, PARIS])
    memory.knows(BONN, time=100.0)
    assert [known.time for known in memory.facts()] == [8.0, 8.0, 100.0]


def test_many_facts_are_committed_as_they_go_and_a_stopped_call_is_gone_on_with(memory, monkeypatch):
    monkeypatch.setattr(knowing, "BATCH", 128)
    monkeypatch.setattr(knowing, "READ", 32)
    told = [(f"entity {number}", "next", f"entity {number + 1}" + " and more" * (number % 5)) for number in range(300)]

    def killed(source: str, items: int, done: None) -> None:
        if items > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.knows(told, on_progress=killed)
    assert 200 < len(memory) < 300
    added = memory.knows(told)
    assert added.items + int(added.skipped[0][1].split()[0]) == 300
    assert triples_of(memory) == told
    texts = [row.item.text for row in memory.store.archive.since()]
    assert texts == [" ".join(each) for each in told]
    alone = memory._perceiver.read([texts[4]])[0]
    kept = memory.store.archive.get([memory.facts()[4].id])[0].item
    np.testing.assert_allclose(kept.tokens.astype(float), alone.tokens.astype(float), atol=2e-3)


def test_facts_are_carried_elsewhere_and_perceived_anew(memory, model, tmp_path):
    memory.knows([BERLIN, BONN], source="atlas", names={"Berlin": "Berlin on the Spree"})
    before = memory.facts()
    assert memory.reencode().errors == ()
    assert memory.facts() == before
    memory.export(tmp_path / "trip.mem")
    from mm_memgpt.memory.archive import Archive

    Archive.bring(tmp_path / "trip.mem", tmp_path / "copy.memory").close()
    with model.memory(tmp_path / "copy.memory", read_only=True) as copy:
        assert copy.facts() == before
        with pytest.raises(InputError, match="opened read-only; open it for writing to tell it facts"):
            copy.knows(BERLIN)


TELL = """
import sys
from mm_memgpt.pipeline import load
with load(sys.argv[1], device="cpu").memory(sys.argv[2]) as memory:
    print(memory.knows(("Oslo", "capital_of", "Norway")).items)
"""


def test_what_another_process_is_told_is_known_here_at_once(memory, tiny_model_folder):
    memory.knows(BERLIN)
    assert triples_of(memory) == [BERLIN]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TELL, str(tiny_model_folder), memory.address]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "1\n"
    assert triples_of(memory) == [BERLIN, ("Oslo", "capital_of", "Norway")]
