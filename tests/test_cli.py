"""The command captions what it can and says in one line what it cannot; standard output holds results alone."""

import csv
import io
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mm_memgpt.cli import main

COMMAND = [sys.executable, "-m", "mm_memgpt"]


@pytest.fixture(autouse=True)
def beside_the_photos(tmp_path, monkeypatch):
    """Every test starts in an empty folder of its own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def command(tiny_model_folder):
    """Runs `mm-memgpt caption` with the tiny model on the CPU."""
    return lambda *arguments: main(["caption", "--model", str(tiny_model_folder), "--device", "cpu", *arguments])


@pytest.fixture(scope="module")
def seeing_model_folder(tiny_model_folder, tmp_path_factory) -> Path:
    """The tiny model with larger weights, so that a small change of a photo shows in how sure it is of its caption."""
    folder = Path(shutil.copytree(tiny_model_folder, tmp_path_factory.mktemp("seeing") / "tiny"))
    weights, draw = load_file(folder / "model.safetensors"), torch.Generator().manual_seed(0)
    for key in sorted(weights):
        if weights[key].ndim > 1:
            weights[key].normal_(std=0.4, generator=draw)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def photo(name: str, seed: int = 0, size: tuple[int, int] = (13, 9)) -> Image.Image:
    """Saves a photo of coloured blocks and returns it."""
    blocks = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((4 * size[0], 4 * size[1]), Image.Resampling.NEAREST)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    image.save(name)
    return image


def rows(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def error_lines(text: str) -> list[str]:
    lines = text.splitlines()
    assert all(line.startswith("mm-memgpt: error: ") for line in lines), text
    return [line.removeprefix("mm-memgpt: error: ") for line in lines]


# How it is called


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys; from mm_memgpt.cli import main\n"
        "assert main(['--help']) == main(['caption', '--help']) == main(['--version']) == 0\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n"), done.stderr
    assert all(command in done.stdout for command in ("caption", "evaluate", "gallery", "tokenizer", "train"))


def test_the_version_is_the_packages(capsys):
    import mm_memgpt

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mm-memgpt {mm_memgpt.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["caption"], "required: INPUT"),
        (["caption", "a.jpg", "--beams", "0"], "'0' is not a whole number of at least 1"),
        (["caption", "a.jpg", "--format", "xml"], "invalid choice: 'xml'"),
        (["evaluate", "captions"], "required: --data"),
        (["tokenizer", "--data", "a"], "required: --output"),
        (["train"], "required: RECIPE.yaml"),
    ],
)
def test_a_usage_error_is_status_2(arguments, message, capsys):
    assert main(arguments) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert message in errors


# What it writes


def test_text_is_a_path_and_its_caption_a_line(command, capsys):
    photo("b.png", 1), photo("a.png", 2)
    assert command("b.png", "a.png") == 0
    output, errors = capsys.readouterr()
    assert [line.partition(": ")[0] for line in output.splitlines()] == ["b.png", "a.png"]
    assert errors == ""


def test_json_holds_confidence_and_words(command, capsys):
    photo("a.png")
    assert command("a.png", "none.png", "--format", "json") == 1
    good, bad = rows(capsys.readouterr().out)
    assert list(good) == ["path", "caption", "confidence", "words"]
    assert 0 <= good["confidence"] <= 1
    assert " ".join(word["word"] for word in good["words"]) == good["caption"]
    assert all(word["logprob"] <= 0 for word in good["words"])
    assert bad == {"path": "none.png", "error": "none.png: no such file or folder; check the path"}


def test_csv_has_a_header_and_a_row_an_input(command, capsys):
    photo("a, b.png")
    assert command("a, b.png", "none.png", "--format", "csv") == 1
    good, bad = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert good["path"] == "a, b.png"
    assert 0 <= float(good["confidence"]) <= 1
    assert (good["error"], bad["caption"], bad["confidence"]) == ("", "", "")
    assert bad["error"].startswith("none.png: ")


def test_output_goes_to_a_file_and_nothing_to_standard_output(command, capsys):
    photo("a.png")
    assert command("a.png", "--format", "json") == 0
    shown = capsys.readouterr().out
    assert command("a.png", "--format", "json", "--output", "out.jsonl") == 0
    assert capsys.readouterr().out == ""
    assert Path("out.jsonl").read_text() == shown


def test_a_file_name_that_is_not_text_is_kept(command, capsysbinary):
    name = os.fsdecode(b"caf\xe9.png")
    photo("a.png")
    os.rename("a.png", name)
    assert command(name) == 0
    assert capsysbinary.readouterr().out.startswith(b"caf\xe9.png: ")
    assert command(name, "--format", "json") == 0
    assert json.loads(capsysbinary.readouterr().out.decode())["path"] == name


# What it takes


def paths(command, capsys, *arguments: str) -> list[str]:
    assert command(*arguments, "--format", "json", "--beams", "1") == 0
    return [row["path"] for row in rows(capsys.readouterr().out)]


def test_a_folder_is_its_photos_and_those_below_sorted(command, capsys):
    for name in ("in/c.png", "in/B.JPG", "in/a/z.png", "in/.hidden.png", "in/.cache/a.png"):
        photo(name)
    Path("in/notes.txt").write_text("no photo")
    assert paths(command, capsys, "in") == ["in/B.JPG", "in/a/z.png", "in/c.png"]


def test_a_pattern_the_shell_left_alone_is_expanded_and_order_is_kept(command, capsys):
    for name in ("2.png", "x1.png", "x3.png", "deep/er/x2.png", "odd[1].png"):
        photo(name)
    assert paths(command, capsys, "x*.png", "2.png") == ["x1.png", "x3.png", "2.png"]
    assert paths(command, capsys, "**/x?.png", "odd[1].png") == ["deep/er/x2.png", "x1.png", "x3.png", "odd[1].png"]


def test_a_dash_is_a_list_on_standard_input(command, capsys, monkeypatch):
    for name in ("a b.png", "in/c.png", "d.png"):
        photo(name)
    listed = io.TextIOWrapper(io.BytesIO(b"a b.png\n\nin\r\n"))
    monkeypatch.setattr(sys, "stdin", listed)
    assert paths(command, capsys, "d.png", "-") == ["d.png", "a b.png", "in/c.png"]


def test_nothing_named_is_passed_over_in_silence(command, capsys, monkeypatch):
    Path("empty/below").mkdir(parents=True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert command("empty", "*.png", "-", "none.jpg") == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert error_lines(errors) == [
        "empty: no photo, sound or clip in this folder; name one that holds some",
        "*.png: no file matches this pattern; check it",
        "-: standard input names no photo, sound or clip",
        "none.jpg: no such file or folder; check the path",
    ]


# What it survives


def zero_bytes(path: Path) -> None:
    path.touch()


def truncated(path: Path) -> None:
    photo("whole.jpg", size=(40, 40))
    path.write_bytes(Path("whole.jpg").read_bytes()[:-900])


def renamed_text(path: Path) -> None:
    path.write_text("Dear reader, this is no photo.\n" * 9)


def huge(path: Path) -> None:
    """The header says 20,000 x 20,000; what follows could not be decoded, so only the header can be the reason."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def unreadable(path: Path) -> None:
    if os.geteuid() == 0:  # root may read any file, but opens no socket as one
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    else:
        photo(path.name)
        path.chmod(0)


@pytest.mark.parametrize("spoil", [zero_bytes, truncated, renamed_text, huge, unreadable])
def test_a_bad_photo_is_one_line_and_the_rest_is_captioned(spoil, command, capsys):
    photo("a.png", 1), photo("c.png", 2)
    spoil(Path("bad.jpg").absolute())
    assert command("a.png", "bad.jpg", "c.png", "--format", "json") == 1
    output, errors = capsys.readouterr()
    first, bad, last = rows(output)
    assert ("caption" in first, "caption" in last) == (True, True)
    assert list(bad) == ["path", "error"]
    assert error_lines(errors) == [bad["error"]]
    assert bad["error"].startswith("bad.jpg: ")
    if spoil is huge:
        assert "20000" in bad["error"].replace(",", "")


def one_pixel(path: str) -> Image.Image:
    image = Image.new("RGB", (1, 1), (200, 30, 90))
    image.save(path, format="PNG")
    return image


def cmyk(path: str) -> Image.Image:
    image = Image.new("CMYK", (20, 12), (0, 200, 200, 20))
    image.save(path, format="TIFF")
    return image.convert("RGB")


def sixteen_bits(path: str) -> Image.Image:
    levels = np.tile(np.arange(0, 256, 8, dtype=np.uint16), (20, 1))
    Image.fromarray(levels * 257).save(path, format="PNG")
    return Image.fromarray(levels.astype(np.uint8)).convert("RGB")


def transparent_palette(path: str) -> Image.Image:
    image = photo("plain.png", 3).quantize(16)
    image.save(path, format="PNG", transparency=0)
    return Image.open(path).convert("RGBA")


def animated(path: str) -> Image.Image:
    frames = [photo(f"frame{seed}.png", seed).quantize(64) for seed in (4, 5, 6)]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])
    return frames[0].convert("RGB")


def rotated(path: str) -> Image.Image:
    upright = photo("upright.png", 7)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    upright.transpose(Image.Transpose.ROTATE_90).save(path, format="PNG", exif=exif)
    return upright


@pytest.mark.parametrize("save", [one_pixel, cmyk, sixteen_bits, transparent_palette, animated, rotated])
def test_an_odd_photo_is_captioned_as_what_it_shows(save, seeing_model_folder, capsys):
    shows = save("odd")
    if shows.mode == "RGBA":  # what shines through is white
        shows = Image.alpha_composite(Image.new("RGBA", shows.size, "white"), shows).convert("RGB")
    shows.save("plainly.png")
    photo("other.png", 99)
    assert (
        main(["caption", "odd", "plainly.png", "other.png", "--format", "json", "--model", str(seeing_model_folder)])
        == 0
    )
    odd, plain, other = [(row["caption"], row["confidence"]) for row in rows(capsys.readouterr().out)]
    assert odd == (plain[0], pytest.approx(plain[1], rel=1e-3))
    assert odd[1] != pytest.approx(other[1], rel=1e-2)


def test_a_model_folder_that_is_not_whole_is_one_line_and_leaves_the_output_alone(tiny_model_folder, capsys):
    photo("a.png")
    Path("out.txt").write_text("kept")
    folder = shutil.copytree(tiny_model_folder, "model")
    weights = load_file("model/model.safetensors")
    save_file({**weights, "left.over": torch.zeros(2)}, "model/model.safetensors")
    assert main(["caption", "a.png", "--model", folder, "--output", "out.txt"]) == 1
    output, errors = capsys.readouterr()
    [line] = error_lines(errors)
    assert line.startswith("model/model.safetensors: unknown left.over;")
    assert (output, Path("out.txt").read_text()) == ("", "kept")


def test_a_full_disk_or_a_missing_folder_for_the_output_is_one_line(command, capsys):
    photo("a.png")
    assert command("a.png", "--output", "/dev/full") == 1
    assert command("a.png", "--output", "none/out.txt") == 1
    assert error_lines(capsys.readouterr().err) == [
        "output: No space left on device",
        "none/out.txt: No such file or directory",
    ]


def test_a_full_disk_behind_standard_output_is_one_line(tiny_model_folder):
    photo("a.png")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "caption", "a.png", "--model", tiny_model_folder], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "mm-memgpt: error: output: No space left on device\n")


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(tiny_model_folder):
    photo("a.png"), photo("b.png")
    process = subprocess.Popen(
        [*COMMAND, "caption", "a.png", "b.png", "--batch", "1", "--model", tiny_model_folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 128 + signal.SIGPIPE


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_done(tiny_model_folder):
    photo("a.png")
    process = subprocess.Popen(
        [*COMMAND, "caption", "-", "--batch", "1", "--model", tiny_model_folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job is born ignoring it
    )
    process.stdin.write(b"a.png\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b"a.png: ")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert (process.returncode, output, errors) == (128 + signal.SIGINT, b"", b"")


# Measuring and showing


def data_file(captions: list[list[str]]) -> str:
    """A Parquet file of photos and captions, as the readers take it."""
    images = []
    for seed, _ in enumerate(captions):
        photo("photo.png", seed)
        images.append({"bytes": Path("photo.png").read_bytes(), "path": f"{seed}.png"})
    pyarrow.parquet.write_table(pyarrow.table({"image": images, "captions": captions}), "data.parquet")
    return "data.parquet"


def evaluate(folder: Path, *arguments: str) -> int:
    return main(["evaluate", "captions", "--model", str(folder), "--device", "cpu", *arguments])


def test_evaluation_scores_the_captions_the_model_writes(tiny_model_folder, command, capsys):
    data = data_file([["a dog runs", "a dog"], ["two men sing", "men"], ["a red ball", "a ball"]])
    options = ("--predictions", "kept.jsonl", "--format", "json", "--batch", "2")
    assert evaluate(tiny_model_folder, "--data", data, *options) == 0
    figures = json.loads(capsys.readouterr().out)
    kept = rows(Path("kept.jsonl").read_text())
    assert command("photo.png", "--format", "json") == 0
    [last] = rows(capsys.readouterr().out)
    assert [row["references"][1] for row in kept] == ["a dog", "men", "a ball"]
    assert (kept[2]["caption"], kept[2]["confidence"]) == (last["caption"], pytest.approx(last["confidence"], rel=1e-4))
    assert figures["photos"] == 3
    assert figures["distinct"] == len({row["caption"].lower() for row in kept})
    assert set(figures["cider"]) == set(figures["bleu_4"]) == {"value", "low", "high"}


def test_the_table_shows_the_figures_of_the_json(tiny_model_folder, capsys):
    data = data_file([["a dog runs", "a dog"], ["two men sing"]])
    assert evaluate(tiny_model_folder, "--data", data, "--format", "json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert evaluate(tiny_model_folder, "--data", data) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, name in zip(lines[1:7], ("cider", "bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l"), strict=True):
        assert line.split()[1:] == "{value:.3f} {low:.3f} to {high:.3f}".format(**figures[name]).split()
    assert lines[7].startswith(f"2 photos, {figures['distinct']} distinct captions (")


@pytest.mark.parametrize("captions", [[], ["..."]])
def test_a_photo_that_cannot_be_scored_is_named_and_the_others_are_scored(captions, tiny_model_folder, capsys):
    data = data_file([["a dog"], captions, ["a man"]])
    assert evaluate(tiny_model_folder, "--data", data, "--format", "json") == 1
    output, errors = capsys.readouterr()
    line, count = errors.splitlines()
    assert line.endswith(": data.parquet:1: no captions to compare with; give a file of photos with their captions")
    assert count == "skipped 1 of 3 samples; the figures are of the others"
    assert json.loads(output)["photos"] == 2


def test_a_file_in_which_nothing_can_be_scored_is_an_error(tiny_model_folder, capsys):
    assert evaluate(tiny_model_folder, "--data", data_file([["..."], ["!"]])) == 1
    output, errors = capsys.readouterr()
    assert error_lines(errors)[-1].startswith("data.parquet: no photo with captions in it; give a file of photos with")
    assert output == ""


def test_the_limit_takes_the_first_photos(tiny_model_folder, capsys):
    assert evaluate(tiny_model_folder, "--data", data_file([["x"]] * 5), "--limit", "3", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["photos"] == 3


def test_a_missing_data_file_is_one_line(tiny_model_folder, capsys):
    assert evaluate(tiny_model_folder, "--data", "none.parquet") == 1
    [line] = error_lines(capsys.readouterr().err)
    assert line.startswith("none.parquet: ")


def test_the_gallery_replaces_what_is_between_its_markers(tiny_model_folder, command, capsys):
    for number in range(5):
        photo(f"docs/photos/{number} x.png", number)
    readme = Path("docs/README.md")
    readme.write_text("# Title\n<!-- gallery:start -->\nold\n<!-- gallery:end -->\nafter\n")
    arguments = [
        "gallery",
        "docs/photos",
        "--readme",
        str(readme),
        "--model",
        str(tiny_model_folder),
        "--device",
        "cpu",
    ]
    assert main(arguments) == 0
    text = readme.read_text()
    assert main(arguments) == 0
    assert readme.read_text() == text
    before, _, rest = text.partition("<!-- gallery:start -->\n")
    gallery, _, after = rest.partition("<!-- gallery:end -->")
    assert (before, after) == ("# Title\n", "\nafter\n")
    assert gallery.count('<img src="photos/') == 5
    assert '<img src="photos/4%20x.png" alt="4 x"' in gallery
    assert {line.count("|") for line in gallery.splitlines()} == {5}


def test_a_file_without_markers_is_left_as_it_was(tiny_model_folder, capsys):
    photo("photos/a.png")
    Path("README.md").write_text("# Title\n")
    assert main(["gallery", "photos", "--model", str(tiny_model_folder), "--device", "cpu"]) == 1
    [line] = error_lines(capsys.readouterr().err)
    assert line.startswith("README.md: no lines <!-- gallery:start --> and <!-- gallery:end -->")
    assert Path("README.md").read_text() == "# Title\n"


def test_a_missing_recipe_is_one_line(capsys):
    assert main(["train", "none.yaml"]) == 1
    [line] = error_lines(capsys.readouterr().err)
    assert line.startswith("none.yaml: ")
