"""One table for every kind of source: rows chosen, joined, sent to workers; what cannot be read says what can."""

import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch.utils.data import DataLoader

from mm_memgpt.datasets.table import KNOWN, check_ids, column, read_table
from mm_memgpt.types import InputError


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,sentiment,id\ngood,1,a7\nbad,0,b2\nbroken\nfine,1,c4\npoor,0,a7\n")
    return path


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "mixed.parquet"
    photo = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    columns = {
        "text": pa.array([b"tea", b"caf\xe9", b"cocoa"]).view(pa.string()),
        "image": pa.array([{"bytes": bytes(99_999), "path": None}] * 3, photo),
        "tags": [["O"], [], None],
        "stars": [4, 1, None],
    }
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def refusal(source, **options) -> str:
    with pytest.raises(InputError) as caught:
        read_table(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_column_is_answered_with_those_that_are_there_likely_ones_first(reviews):
    table = read_table(reviews)
    assert column(table, "review", "text") == "review"
    with pytest.raises(InputError) as caught:
        column(table, "sentment", "label")
    assert str(caught.value) == f"{reviews}: no column 'sentment' for label; it has sentiment, review, id"


def test_an_id_that_comes_twice_is_named_with_both_places(reviews):
    check_ids(read_table(reviews, where={"sentiment": 1}), "id")
    with pytest.raises(InputError) as caught:
        check_ids(read_table(reviews), "id")
    way_out = "give each row its own, or leave one out"
    assert str(caught.value) == f"{reviews}:6: id 'a7' is also at {reviews}:2; {way_out}"


def test_rows_are_chosen_by_what_a_column_holds_and_broken_ones_stay(reviews, parquet):
    table = read_table(reviews, where={"sentiment": 1, "id": ["a7", "c4"]})
    assert [table.place(index) for index in range(3)] == [f"{reviews}:{line}" for line in (2, 4, 5)]
    with pytest.raises(InputError, match=r"reviews\.csv:4: has 1 cells"):
        table[1]
    assert table[-1]["review"] == "fine"
    assert [row["stars"] for row in read_table(parquet, where={"stars": [4, None]})] == [4, None]
    line = "no row is chosen by where sentiment: 'x'; give values that its rows hold"
    assert refusal(reviews, where={"sentiment": "x"}) == f"{reviews}: {line}"
    assert "no column 'star' for where; it has stars" in refusal(parquet, where={"star": 4})


def test_several_files_are_one_table(tmp_path):
    for name, rows in (("b.csv", "3,c\n"), ("a.csv", "1,a\n2,b\n")):
        (tmp_path / name).write_text(f"id,text\n{rows}")
    table = read_table(f"{tmp_path}/*.csv")
    assert [row["id"] for row in table] == ["1", "2", "3"]
    assert (table[-1]["text"], table.place(-1), table.folder) == ("c", f"{tmp_path}/b.csv:2", tmp_path)
    assert [row["id"] for row in read_table([tmp_path / "b.csv", tmp_path / "a.csv"])] == ["3", "1", "2"]
    (tmp_path / "b.csv").write_text("id,words\n3,c\n")
    due = f"{tmp_path}/b.csv: has id, words, but {tmp_path}/a.csv has id, text; read them one at a time"
    assert refusal(f"{tmp_path}/*.csv") == due


def test_a_cell_of_a_parquet_file_is_read_when_it_is_asked_for(parquet):
    table = read_table(parquet)
    assert (table.columns, len(table), table.place(2)) == (("text", "image", "tags", "stars"), 3, f"{parquet}:2")
    assert [row["tags"] for row in table] == [["O"], [], None]
    assert table.loaded.keys() == {"tags"}
    assert dict(table[0])["image"] == {"bytes": bytes(99_999), "path": None}
    with pytest.raises(InputError, match=r"mixed\.parquet:1: text is not UTF-8"):
        table[1]["text"]
    assert pickle.loads(pickle.dumps(table[2])) == {**table[2]}
    with pytest.raises(KeyError):
        table[0]["words"]
    with pytest.raises(IndexError):
        table[3]


def test_a_parquet_file_that_cannot_be_used_says_why(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    assert refusal(path) == f"{path}: holds no row; leave it out"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), path)
    assert refusal(path) == f"{path}: column 'text' is there twice; rename one"
    path.write_text("text\na\n")
    assert refusal(path).startswith(f"{path}: not a Parquet file, or one cut short or broken")


def test_tables_travel_light_and_workers_read_what_the_main_process_reads(reviews, parquet):
    chosen = read_table(reviews, where={"id": "a7"})
    assert len(pickle.dumps(chosen)) < 1500
    photos = read_table(parquet)
    here = [dict(photos[index]) for index in (0, 2)]
    assert len(pickle.dumps(photos)) < 500 < len(pickle.dumps(photos[0]))
    loader = DataLoader(photos, sampler=[0, 2], batch_size=None, collate_fn=dict, num_workers=1)
    assert list(loader) == here
    loader = DataLoader(chosen, sampler=[0, 2], batch_size=None, collate_fn=dict, num_workers=1)
    assert [row["review"] for row in loader] == ["good", "poor"]


def test_a_dataset_saved_to_disk_is_a_table(tmp_path):
    import datasets

    kinds = datasets.Features({"text": datasets.Value("string"), "photo": datasets.Image()})
    rows = {"text": ["好", "b"], "photo": [{"bytes": b"not opened here", "path": None}, None]}
    whole = datasets.Dataset.from_dict(rows, features=kinds)
    datasets.DatasetDict({"train": whole, "test": whole.select([1])}).save_to_disk(tmp_path / "saved")
    for source in (tmp_path / "saved", f"hub:{tmp_path / 'saved'}"):
        table = read_table(source, split="train")
        assert (table.columns, len(table), table.place(-1)) == (("text", "photo"), 2, f"{source}:1")
        assert pickle.loads(pickle.dumps(table))[0] == {"text": "好", "photo": rows["photo"][0]}
        assert refusal(source) == f"{source}: has the splits train, test; choose one: split"


def test_what_cannot_be_read_says_what_can(tmp_path, reviews, parquet):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    assert refusal(tmp_path / "a.xlsx") == f"{tmp_path}/a.xlsx: no table is read from .xlsx; give {KNOWN}"
    assert refusal(tmp_path) == f"{tmp_path}: no table is read from a folder; give {KNOWN}"
    assert refusal([reviews, parquet]).endswith(f"both {reviews} and {parquet}; read one kind at a time")
    assert refusal(reviews, split="train").endswith("a .csv takes no split; leave it out, or choose rows by where")
    assert refusal(parquet, encoding="latin-1").endswith("takes no encoding, as it is no text file; leave it out")


@pytest.mark.data
def test_every_set_of_text_is_read(data_folder):
    paths = sorted((data_folder / "text").glob("*/*.parquet"))
    assert len({path.parent for path in paths}) == 18
    for path in paths:
        table = read_table(path)
        for index in (0, -1):
            row = table[index]
            assert row.keys() == set(table.columns)
            assert all(value is not None for value in row.values()), table.place(index)


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "columns"),
    [
        ("sst2/train", 6224, {"text", "label"}),
        ("wnut17/dev", 1009, {"tokens", "tags"}),
        ("subjqa/test", 1430, {"context", "question", "answers", "answer_starts", "domain", "id"}),
        ("xquad/all", 8632, {"context", "question", "answers", "answer_starts", "domain", "id"}),
        ("wikiqa/test", 6165, {"question", "sentence", "label", "question_id"}),
        ("dailydialog/dev", 982, {"turns"}),
    ],
)
def test_the_projects_sets_have_the_rows_and_columns_they_should(data_folder, name, rows, columns):
    table = read_table(data_folder / "text" / f"{name}.parquet")
    assert (len(table), set(table.columns)) == (rows, columns)
