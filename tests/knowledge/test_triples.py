"""Triples come from every kind of file, broken ones by their line; the graph of them is bounded in all it is asked."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mm_memgpt.datasets.entity_names import Name, name_of, read_names
from mm_memgpt.datasets.triples import Triple, read_triples
from mm_memgpt.knowledge.graph import KnowledgeGraph
from mm_memgpt.knowledge.reading import build_graph, read_graph
from mm_memgpt.types import InputError


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def said(path: Path, **options) -> list:
    """The triples of a file as (head, relation, tail), and its problems without the folder."""
    rows = read_triples(path, **options)
    return [str(row).replace(f"{path.parent}/", "") if isinstance(row, InputError) else row[:3] for row in rows]


def graph_of(*triples: tuple[str, str, str]) -> KnowledgeGraph:
    return build_graph(Triple(*triple) for triple in triples)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tabs_part_the_cells_in_any_encoding_and_line_break(tmp_path, encoding):
    path = written(tmp_path / "facts.tsv", "# facts\r\n\r\nParis\tin\tFrance\r\nbébé\tis\tperson\n", encoding)
    assert said(path) == [("Paris", "in", "France"), ("bébé", "is", "person")]


def test_a_header_names_further_columns(tmp_path):
    text = "source\tHead\tRelation\tTail\tfrom\tuntil\natlas\tBonn\tcapital_of\tFRG\t1949-05-23\t1990\n"
    [triple] = read_triples(written(tmp_path / "facts.tsv", text))
    assert triple[:3] == ("Bonn", "capital_of", "FRG")
    assert (triple.since, triple.until, triple.source) == (-650419200, 631152000, "atlas")  # date -u -d ... +%s


def test_rows_of_a_text_file_are_chosen_too(tmp_path):
    path = written(tmp_path / "facts.csv", "head,relation,tail,fold\na,r,b,1\nb,r,c,2\n")
    assert said(path, where={"fold": 2}) == [("b", "r", "c")]


def test_a_broken_row_is_named_by_its_line_and_the_others_come(tmp_path):
    lines = [
        "head\trelation\ttail\tfrom\tuntil",
        "a\tr\tb\t\t",
        "a\tr",
        "a\t\tb\t\t",
        "a\tr\tb\tsoon\t",
        "c\tr\td\t2\t1",
    ]
    path = written(tmp_path / "facts.tsv", "\n".join([*lines, "c\tr\td\t\t"]))
    assert said(path) == [
        ("a", "r", "b"),
        "facts.tsv:3: has 2 cells, but head, relation, tail, since, until are 5; "
        "part them by tabs, or name all in a first line",
        "facts.tsv:4: no relation; fill it in, or leave the row out",
        "facts.tsv:5: 'soon' in since is no time; write 1999, 1999-12-31 or 1999-12-31T23:59:00",
        "facts.tsv:6: holds until 1, not after 2; give the later time last",
        ("c", "r", "d"),
    ]


def test_a_line_that_is_not_utf_8_costs_no_other(tmp_path):
    path = tmp_path / "facts.tsv"
    path.write_bytes(b"a\tr\tb\nM\xfcnchen\tin\tBayern\nc\tr\td\n")
    first, broken, last = said(path)
    assert (first, last) == (("a", "r", "b"), ("c", "r", "d"))
    assert broken.startswith("facts.tsv:2: not UTF-8 (byte 0xfc)")


def test_a_cell_with_commas_stands_in_quotes(tmp_path):
    path = written(tmp_path / "facts.csv", 'subject,predicate,object\n"Paris, Texas",in,Texas\na,"b\n')
    first, broken = said(path)
    assert first == ("Paris, Texas", "in", "Texas")
    assert broken.startswith("facts.csv:3: not CSV")


def test_parquet_rows_are_chosen_by_what_they_hold(tmp_path):
    path = tmp_path / "facts.parquet"
    rows = {
        "head": ["a", "b", None],
        "relation": ["r"] * 3,
        "tail": ["b", "c", "d"],
        "split": ["train", "test", "train"],
    }
    pq.write_table(pa.table(rows), path)
    assert said(path, where={"split": "train"}) == [
        ("a", "r", "b"),
        "facts.parquet:2: no head; fill it in, or leave the row out",
    ]
    assert said(path, where={"split": ["test"]}) == [("b", "r", "c")]
    with pytest.raises(InputError, match="no column 'part' for where; it has head, relation, tail, split"):
        said(path, where={"part": "train"})


def test_n_triples_have_literals_languages_and_blank_nodes(tmp_path):
    text = (
        "# a comment\n"
        "<http://x.org/a> <http://x.org/knows> _:b1 . # another\n"
        '_:b1 <http://x.org/age> "7"^^<http://www.w3.org/2001/XMLSchema#integer> .\n'
        '<http://x.org/a> <http://x.org/says> "na\\u00EFve \\"yes\\""@en-GB .\n'
        "<http://x.org/a> <http://x.org/knows> .\n"
        "<http://x.org/a> knows <http://x.org/c> .\n"
    )
    path = written(tmp_path / "facts.nt", text, "utf-8-sig")
    known, age, says, *broken = read_triples(path)
    assert known[:3] == ("http://x.org/a", "http://x.org/knows", "_:b1")
    assert (age.head, age.tail, age.literal) == ("_:b1", "7", True)
    assert (says.tail, says.language, says.place) == ('naïve "yes"', "en-GB", f"{path}:4")
    assert [str(each).partition(": ")[0] for each in broken] == [f"{path}:5", f"{path}:6"]


def test_names_in_n_triples_are_what_entities_are_called(tmp_path):
    label = "<http://www.w3.org/2000/01/rdf-schema#label>"
    text = (
        f'<http://x.org/a> {label} "Deutschland"@de .\n<http://x.org/a> {label} "Germany"@en .\n'
        "<http://x.org/a> <http://x.org/part_of> <http://x.org/old%20world> .\n"
        '<http://x.org/a> <http://x.org/y> "7" .\n'
    )
    graph, _ = read_graph(written(tmp_path / "facts.nt", text))
    assert [graph.says(number) for number in range(len(graph))] == [
        ("Germany", "part of", "old world"),
        ("Germany", "y", "7"),
    ]
    assert graph.find("deutschland") == graph.find("http://x.org/a") == (0,)


def test_without_rdflib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rdflib", None)
    path = written(tmp_path / "facts.nt", "<a:b> <a:c> <a:d> .\n")
    with pytest.raises(ImportError, match=r'pip install "mm-memgpt\[knowledge\]"'):
        next(read_triples(path))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("facts.xyz", "a", "no triples are read from .xyz; give .tsv, .txt or .csv, .parquet, or .nt"),
        ("facts.tsv", "", "empty"),
        ("facts.tsv", "head\trelation\ttail\thead\na\tb\tc\td", "column 'head' is in the header twice; rename one"),
        ("facts.tsv", "# nothing\n", "holds no triple that can be used; add some, or leave it out"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_graph(written(tmp_path / name, text))
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_graph_is_made_of_what_can_be_used_and_tells_the_rest(tmp_path):
    facts = written(tmp_path / "facts.tsv", "a\tr\tb\na\tr\tb\nbroken\nb\tr\tb\nb\tr\ta\n")
    names = written(tmp_path / "names.tsv", "id\ttext\na\tAda, a poet\nb\tBo\nz\tZoe\n\tnobody\n")
    problems = []
    graph, report = read_graph(facts, names, split_at=",", skip=problems.append)
    assert (len(graph), report.duplicates, report.self_loops, report.unnamed, report.broken) == (3, 1, 1, 1, 2)
    assert graph.says(0) == ("Ada", "r", "Bo")
    assert graph.descriptions == ("a poet", "")
    assert [str(each).split(":")[1] for each in problems] == ["3", "5"]
    assert str(report).startswith("1 triples came again; 1 triples from an entity to itself; 1 names")
    with pytest.raises(InputError, match=r"facts\.tsv:3"):
        read_graph(facts)


def test_nothing_of_a_graph_can_be_changed():
    graph = graph_of(("a", "r", "b"))
    with pytest.raises(ValueError, match="read-only"):
        graph.triples[0, 0] = 1
    with pytest.raises(AttributeError):
        graph.entities = ()


def test_an_entity_with_100_000_neighbours_is_bounded_and_tells_it():
    graph = graph_of(*(("hub", "has", f"leaf {number}") for number in range(100_000)))
    near = graph.neighbours(0, most=7)
    assert (len(near.triples), near.left_out) == (7, 99_993)
    assert near.triples.tolist() == graph.neighbours(0, most=7).triples.tolist()
    around = graph.around([1], hops=3, most=50, fan=20)
    assert len(around.entities) <= 50
    assert around.left_out == 99_980


def test_cycles_and_self_loops_are_gone_round_once():
    graph = graph_of(("a", "r", "b"), ("b", "r", "c"), ("c", "r", "a"), ("c", "is", "c"), ("d", "r", "d"))
    around = graph.around([0], hops=9)
    assert around.entities.tolist() == [0, 1, 2]
    assert around.steps.tolist() == [0, 1, 1]
    assert around.triples.tolist() == [0, 1, 2, 3]
    assert graph.neighbours(2).triples.tolist() == [1, 2, 3]


def test_an_unknown_name_is_told_with_those_that_come_near():
    graph = graph_of(("paris", "capital_of", "france"))
    with pytest.raises(InputError, match=r"no entity 'pariss'; did you mean paris\?"):
        graph.find("pariss")
    with pytest.raises(InputError, match=r"no relation 'capital off'; did you mean capital of"):
        graph.relation("capital off")
    assert graph.find("PARIS") == (0,)
    assert graph.relation("capital of") == graph.relation("capital_of") == 0


def test_two_entities_of_one_name_are_both_found():
    names = [Name("/m/1", "Paris"), Name("/m/2", "paris"), Name("/m/1", "City of Light")]
    graph, _ = build_graph([Triple("/m/1", "r", "/m/2")], names)
    assert graph.find("Paris") == (0, 1)
    assert graph.find("city of light") == (0,)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=30))
def test_every_triple_is_at_both_of_its_ends_and_nowhere_else(rows):
    graph = graph_of(*((f"e{head}", f"r{relation}", f"e{tail}") for head, relation, tail in rows))
    assert len(graph) == len(set(rows))
    for entity in range(len(graph.entities)):
        ends = [number for number, (head, _, tail) in enumerate(graph.triples.tolist()) if entity in (head, tail)]
        assert graph.neighbours(entity).triples.tolist() == ends
        few = graph.neighbours(entity, most=2)
        assert set(few.triples.tolist()) <= set(ends)
        assert len(few.triples) + few.left_out == len(ends)
        even = graph.neighbours(entity, most=2, among=np.arange(len(graph)) % 2 == 0)
        assert len(even.triples) + even.left_out == sum(number % 2 == 0 for number in ends)
        assert set(even.triples.tolist()) <= {number for number in ends if number % 2 == 0}


@given(st.text(max_size=60))
def test_no_line_whatever_it_holds_raises_anything_else(tmp_path_factory, line):
    path = tmp_path_factory.mktemp("lines") / "facts.nt"
    path.write_bytes(f"{line}\n<a:b> <a:c> <a:d> .\n".encode("utf-8", "surrogatepass"))
    *_, last = read_triples(path)
    assert last[:3] == ("a:b", "a:c", "a:d")


def test_an_identifier_says_a_name():
    assert name_of("ludwig_ii_of_bavaria") == "ludwig ii of bavaria"
    assert name_of("http://dbpedia.org/resource/S%C3%A3o_Paulo") == "São Paulo"
    assert name_of("http://x.org/terms#part_of") == "part of"


def test_names_are_read_from_parquet_too(tmp_path):
    path = tmp_path / "names.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], "kind": ["entity"] * 2, "text": ["dog, a pet", None]}), path)
    first, broken = read_names(path, split_at=", ")
    assert first == Name("1", "dog", "a pet")
    assert str(broken) == f"{path}:1: no text; write an id and a name, or leave the row out"


@pytest.mark.data
def test_wordnet_is_read_with_its_names(data_folder):
    folder = data_folder / "knowledge"
    graph, report = read_graph(folder / "wn18rr.parquet", folder / "wn18rr_names.parquet", split_at=", ")
    assert (len(graph), len(graph.entities), len(graph.relations)) == (93_003, 40_943, 11)
    assert report == (0, 9, 0, 0)
    assert "reform" in {
        graph.name(number)
        for number in np.unique(graph.triples[graph.around(graph.find("land reform"), 1).triples][:, 2])
    }
