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
