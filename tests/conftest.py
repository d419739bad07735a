"""What every test shares: one thread, no network, the same random numbers, and the way to the project's data."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read when huggingface_hub is imported, so set before anything imports it

from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The project's data, for tests marked `data`; where it is missing they fail, for a skipped test proves nothing."""
    folder = Path(os.environ.get("MM_MEMGPT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.fail(f"no data at {folder}; set MM_MEMGPT_DATA to its folder, or leave out -m data", pytrace=False)
    return folder


WORDS = ("A brown dog runs through the grass .", "Two children play in the water .", "A man climbs a rock .")


@pytest.fixture(scope="session")
def tiny_model_folder(tmp_path_factory) -> Path:
    """A saved model of preset tiny with random weights and a tokenizer of a few sentences: it writes, but nonsense."""
    from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
    from mm_memgpt.models.processor import MMMemGPTProcessor
    from mm_memgpt.presets import tiny
    from mm_memgpt.training.tokenizer import train_on

    folder = tmp_path_factory.mktemp("model") / "tiny"
    torch.manual_seed(1)
    tokenizer = train_on(WORDS, vocab=300)
    model = MMMemGPTForConditionalGeneration(tiny(vocab_size=len(tokenizer)))
    model.generation_config.max_new_tokens = 8
    model.save_pretrained(folder)
    MMMemGPTProcessor.build(model.config, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture
def run(tiny_model_folder, tmp_path, monkeypatch, capsys):
    """`run("watch", "clip.mp4")`: a command with the tiny model, which has ears, in a folder of its own.

    Returns its exit status, the rows it wrote, and its lines on standard error, each without what all begin with.
    """
    import json

    from mm_memgpt.cli import main

    monkeypatch.chdir(tmp_path)
    given = ("--model", str(tiny_model_folder), "--device", "cpu", "--beams", "1", "--format", "json")

    def command(name: str, *arguments: str) -> tuple[int, list[dict], list[str]]:
        status = main([name, *given, *arguments])
        output, errors = capsys.readouterr()
        begin, lines = "mm-memgpt: error: ", errors.splitlines()
        assert all(line.startswith(begin) for line in lines)
        return status, [json.loads(row) for row in output.splitlines()], [line.removeprefix(begin) for line in lines]

    return command


@pytest.fixture(scope="session")
def film():
    """`film(path, shades, sound=True)`: a clip at `path`, a second of each shade, with a tone or without sound.

    Without shades it has no pictures; a shade is a number from 0 to 255, and each has a pattern of its own.
    """
    import av
    import numpy as np

    def render(
        path: Path, shades=(40, 120, 200), sound: bool = True, seconds: float | None = None, fps: int = 5
    ) -> Path:
        with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as container:
            pictures = container.add_stream("mpeg4", rate=fps) if shades else None
            heard = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
            if pictures is not None:
                pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
            for shade in shades:
                pixels = np.random.default_rng(shade).integers(0, 256, (6, 8, 3)) // 4 + shade * 3 // 4
                frame = av.VideoFrame.from_ndarray(np.kron(pixels, np.ones((8, 8, 1))).astype(np.uint8), "rgb24")
                for _ in range(fps):
                    frame.pts = None
                    container.mux(pictures.encode(frame))
            if heard is not None:
                count = round((len(shades) if seconds is None else seconds) * 16_000)
                tone = (0.5 * np.sin(np.arange(count) * 0.17)).astype(np.float32)
                for start in range(0, count, 1024):
                    frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
                    frame.sample_rate, frame.pts = 16_000, start
                    container.mux(heard.encode(frame))
            for stream in filter(None, (pictures, heard)):
                container.mux(stream.encode(None))
        return path

    return render
