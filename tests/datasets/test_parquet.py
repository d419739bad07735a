"""Parquet rows come out as Samples, in any order and process; a broken file or row says where it is broken."""

import io
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from mm_memgpt.datasets.base import KNOWN, read
from mm_memgpt.datasets.parquet import ParquetReader
from mm_memgpt.types import InputError, Sample

PHOTO = pa.struct({"bytes": pa.binary(), "path": pa.string()})
ROWS, WIDTH, HEIGHT = 5, 7, 3


def photo(number: int) -> Image.Image:
    values = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(number: int) -> bytes:
    file = io.BytesIO()
    photo(number).save(file, "PNG")
    return file.getvalue()


def captions_of(number: int) -> list[str]:
    return [f"photo {number}, told in way {way}" for way in range(number % 3)]


def write_photos(path, numbers=range(ROWS), **columns) -> None:
    """Photos with captions in the form of the project's data, two rows a group."""
    table = pa.table(
        {
            "image": pa.array([{"bytes": encoded(n), "path": f"{n}.png"} for n in numbers], PHOTO),
            "captions": pa.array([captions_of(n) for n in numbers], pa.list_(pa.string())),
            "image_id": pa.array([str(n) for n in numbers]),
            **columns,
        }
    )
    pq.write_table(table, path, row_group_size=2)


def write(path, **columns) -> None:
    pq.write_table(pa.table(columns), path)


def refusal(*arguments, **columns) -> str:
    with pytest.raises(InputError) as caught:
        read(*arguments, **columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def plain(sample: Sample) -> tuple:
    return sample.source, sample.image.tobytes(), sample.captions, sample.text, sample.label


def sources(samples: list[Sample]) -> list[str]:
    return [sample.source for sample in samples]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "photos.parquet"
    write_photos(path)
    return path


def test_a_row_is_a_sample_that_names_its_file_and_row(path):
    reader = read(path)
    assert isinstance(reader, ParquetReader)
    assert len(reader) == ROWS
    for row in (4, 0, 2):
        expected = (f"{path}:{row}", photo(row).tobytes(), tuple(captions_of(row)), None, None)
        assert plain(reader[row]) == expected
    assert sources(reader) == [f"{path}:{row}" for row in range(ROWS)]
    assert reader[-1].source == f"{path}:4"
    with pytest.raises(IndexError):
        reader[ROWS]


def test_several_files_are_read_as_one_in_sorted_order(tmp_path):
    write_photos(tmp_path / "b.parquet", range(2))
    write_photos(tmp_path / "a.parquet", range(3))
    expected = [f"{tmp_path}/a.parquet:{row}" for row in range(3)] + [f"{tmp_path}/b.parquet:{row}" for row in range(2)]
    assert sources(read(tmp_path / "*.parquet")) == expected
    given = read([tmp_path / "b.parquet", str(tmp_path / "a.parquet")])
    assert sources(given) == expected[3:] + expected[:3]
    assert given[4].image.tobytes() == photo(2).tobytes()


def test_class_numbers_are_read_and_class_names_are_not_taken_for_them(tmp_path):
    write_photos(tmp_path / "numbers.parquet", label=pa.array([3, 1, 4, None, 5], pa.int32()))
    write(tmp_path / "names.parquet", text=["who", "where"], label=["HUM", "LOC"])
    assert [sample.label for sample in read(tmp_path / "numbers.parquet")] == [3, 1, 4, None, 5]
    assert [(sample.text, sample.label) for sample in read(tmp_path / "names.parquet")] == [
        ("who", None),
        ("where", None),
    ]


def test_columns_are_taken_by_the_name_they_are_given(tmp_path):
    path = tmp_path / "named.parquet"
    write(path, photo=[encoded(1)], alt=["one string"], note=["a text"], number=[6], text=["not this one"])
    [sample] = read(path, image="photo", captions="alt", text="note", label="number")
    assert plain(sample) == (f"{path}:0", photo(1).tobytes(), ("one string",), "a text", 6)


def test_texts_come_without_photos_and_without_gaps(tmp_path, path):
    write_photos(tmp_path / "broken.parquet", [2], image=pa.array([{"bytes": b"no photo"}], PHOTO))
    write(tmp_path / "mixed.parquet", captions=[["a", None, "b"], None, []], text=["t", None, "u"])
    assert list(read(path).texts()) == [caption for number in range(ROWS) for caption in captions_of(number)]
    assert list(read([tmp_path / "broken.parquet", tmp_path / "mixed.parquet"]).texts()) == [
        *captions_of(2),
        *("a", "b", "t", "u"),
    ]


def test_photos_alone_have_no_texts(tmp_path):
    write(tmp_path / "bare.parquet", image=[encoded(0), encoded(1)])
    reader = read(tmp_path / "bare.parquet")
    assert list(reader.texts()) == []
    assert reader[1].image.tobytes() == photo(1).tobytes()


def test_a_reader_travels_light_and_reads_the_same_where_it_arrives(path):
    reader = read(path)
    first = plain(reader[0])
    packed = pickle.dumps(reader)
    assert len(packed) < len(encoded(0)) + 500
    assert plain(pickle.loads(packed)[0]) == first


def test_worker_processes_read_what_the_main_process_reads(path):
    reader = read(path)
    here = [plain(sample) for sample in reader]
    assert [plain(sample) for sample in DataLoader(reader, batch_size=None, num_workers=2)] == here


def test_one_broken_photo_names_its_row_and_the_rest_are_read(tmp_path):
    path = tmp_path / "photos.parquet"
    broken = {2: {"bytes": encoded(2)[:60]}, 3: {"path": "3.png"}}
    write_photos(path, image=pa.array([broken.get(n, {"bytes": encoded(n)}) for n in range(ROWS)], PHOTO))
    samples, read_in_order, lines = iter(read(path)), [], []
    for _ in range(ROWS):
        try:
            read_in_order.append(next(samples).source)
        except InputError as error:
            lines.append(str(error))
    assert read_in_order == [f"{path}:{row}" for row in (0, 1, 4)]
    assert lines[0].startswith(f"{path}:2: cannot be read to its end (")
    way_out = "leave the row out, or store the photo's bytes in it"
    assert lines[1] == f"{path}:3: no photo in this row; {way_out}"


def test_a_text_that_is_not_utf_8_names_its_row(tmp_path):
    path = tmp_path / "latin.parquet"
    write(path, text=pa.array([b"tea", b"caf\xe9"]).view(pa.string()))
    reader = read(path)
    assert reader[0].text == "tea"
    with pytest.raises(InputError, match=r"latin\.parquet:1: text is not UTF-8"):
        reader[1]
    with pytest.raises(InputError, match=r"latin\.parquet: text is not UTF-8"):
        list(reader.texts())


def test_a_missing_and_an_empty_file_are_told_apart(tmp_path):
    (tmp_path / "empty.parquet").touch()
    write(tmp_path / "rowless.parquet", text=pa.array([], pa.string()))
    assert refusal(tmp_path / "gone.parquet") == f"{tmp_path}/gone.parquet: no such file or folder; check the path"
    assert (
        refusal(tmp_path / "empty.parquet") == f"{tmp_path}/empty.parquet: empty (0 bytes); copy or download it again"
    )
    assert refusal(tmp_path / "rowless.parquet") == f"{tmp_path}/rowless.parquet: holds no row; leave it out"


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"captions,image\na dog,1.jpg\n" * 9]
)
def test_a_file_that_is_cut_short_or_no_parquet_at_all_is_refused(path, damage):
    path.write_bytes(damage(path.read_bytes()))
    line = refusal(path)
    assert line.startswith(f"{path}: not a Parquet file, or one cut short or broken (Parquet magic bytes not found")
    assert line.endswith("); copy or download it again")


def test_a_file_damaged_inside_is_refused_when_it_is_read(path):
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(InputError, match="cut short or broken"):
        read(path)[0]


def test_columns_that_do_not_fit_are_refused(tmp_path):
    path = tmp_path / "pairs.parquet"
    write(path, en=["dog"], de=["Hund"], image=["1.jpg"])
    form = "encoded photos: binary, or a struct with a binary field `bytes`"
    line = f"{path}: column 'image' holds string; image must be {form}; name another column"
    assert refusal(path) == line
    write(path, en=["dog"], de=["Hund"])
    assert refusal(path, text="fr") == f"{path}: no column 'fr' for text; it has en, de"
    assert refusal(path, label="en") == f"{path}: column 'en' holds string; label must be integers; name another column"
    without = "no column image, sound, clip, captions or text; it has en, de: name one of these for it"
    assert refusal(path) == f"{path}: {without}"
    assert read(path, text="de")[0].text == "Hund"


def test_what_cannot_be_read_says_what_can(tmp_path, path):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    known = f"give {KNOWN}"
    assert refusal(tmp_path / "photos.zip") == f"{tmp_path}/photos.zip: no reader for .zip; {known}"
    assert refusal([path, tmp_path]).endswith(f"both {path} and {tmp_path}; read one kind at a time")
    assert refusal(f"{tmp_path}/*.pq") == f"{tmp_path}/*.pq: no file matches this pattern; check it"
    assert refusal([]) == "an empty list of data files; give at least one"


def test_rows_are_chosen_by_what_a_column_holds(tmp_path):
    files = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    write_photos(files[0], range(5), fold=[1, 2, 3, 1, None], speaker=["a", "b", "a", "b", "a"])
    write_photos(files[1], range(5, 8), fold=[3, 2, 1], speaker=["a", "a", "b"])

    def chosen(**where) -> list[str]:
        return [sample.source.removeprefix(f"{tmp_path}/") for sample in read(files, where=where)]

    assert chosen(fold=1) == ["1.parquet:0", "1.parquet:3", "2.parquet:2"]  # numbered as in the whole file
    assert chosen(fold=[3, 2]) == ["1.parquet:1", "1.parquet:2", "2.parquet:0", "2.parquet:1"]
    assert chosen(fold=[1, 2], speaker="b") == ["1.parquet:1", "1.parquet:3", "2.parquet:2"]
    assert chosen(fold=None) == ["1.parquet:4"]

    reader = read(files, where={"fold": 3})
    assert [reader[0].captions, reader[1].captions] == [tuple(captions_of(2)), tuple(captions_of(5))]
    assert reader[-1].image.tobytes() == photo(5).tobytes()
    assert list(reader.texts()) == [*captions_of(2), *captions_of(5)]
    assert [row["image_id"] for row in reader.values("image_id")] == ["2", "5"]
    copy = pickle.loads(pickle.dumps(reader))
    assert [sample.source for sample in copy] == [sample.source for sample in reader]


def test_a_filter_that_cannot_choose_is_refused(tmp_path, path):
    write_photos(path, fold=[1, 2, 3, 1, 2])
    has = "it has image, captions, image_id, fold"
    assert refusal(path, where={"folds": 1}) == f"{path}: no column 'folds'; {has}"
    none = "no row is chosen by where fold: [7, 8]; give values that its rows hold"
    assert refusal(path, where={"fold": [7, 8]}) == f"{path}: {none}"
    (tmp_path / "captions.csv").write_text("image,caption\n1.jpg,One .\n")
    due = f"{tmp_path}/captions.csv: a .csv takes no where; leave it out"
    assert refusal(tmp_path / "captions.csv", where={"fold": 1}) == due
    assert refusal("hub:owner/name", where={"fold": 1}) == "hub:owner/name: a hub dataset takes no where; leave it out"


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "rows", "size", "captions"),
    [
        ("flickr8k/test.parquet", 692, (176, 176), 5),
        ("tiny_imagenet/val.parquet", 5000, (64, 64), 0),
        ("caltech101/train.parquet", 6170, (144, 144), 0),
    ],
)
def test_the_projects_photos_are_read(data_folder, name, rows, size, captions):
    reader = read(data_folder / name)
    assert len(reader) == rows
    for row in (0, rows // 2, rows - 1):
        sample = reader[row]
        assert (sample.source, sample.image.mode, sample.image.size) == (f"{data_folder / name}:{row}", "RGB", size)
        assert len(sample.captions) == captions
        assert (sample.label is None) == (captions > 0)
    assert len(list(reader.texts())) == rows * captions


@pytest.mark.data
def test_the_projects_texts_are_read(data_folder):
    assert len(list(read(data_folder / "text/sst2/dev.parquet").texts())) == 872
    assert len(list(read(data_folder / "text/multi30k/val.parquet", text="en").texts())) == 952
    assert sum(1 for _ in read(data_folder / "text/dailydialog/dev.parquet", captions="turns").texts()) > 982
