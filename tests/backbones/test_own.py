import pytest
import torch
from PIL import Image

from mm_memgpt.backbones.base import Inputs
from mm_memgpt.backbones.build import build
from mm_memgpt.models.loading import read_model
from mm_memgpt.types import MODALITIES

PHOTO = Image.new("RGB", (30, 20), "teal")
SOUND = torch.linspace(-1, 1, 40_000)


def test_a_text_is_one_item_of_all_its_tokens(tiny_model_folder):
    backbone = build(tiny_model_folder, longest=40)
    features = backbone(backbone.processor([Inputs("A brown dog runs through the grass . " * 2), Inputs("A rock")]))
    model, _ = read_model(tiny_model_folder)
    assert features.tokens.shape[1] == 1
    assert features.mask.sum(-1).max() > model.text_encoder.tokens


def test_text_photo_and_sound_are_read_together(tiny_model_folder):
    backbone = build(tiny_model_folder)
    batch = backbone.processor(
        [Inputs("A dog", None, PHOTO, SOUND), Inputs("A man climbs", "a rock", PHOTO, SOUND[:9])]
    )
    features = backbone(batch)
    names = [MODALITIES[number] for number in features.modality[0].tolist()]
    assert names[:2] == ["text", "image"]
    assert set(names[2:]) == {"audio"}
    assert features.mask[1, 3:].any().item() is False  # the second sound is shorter: the rest is padding


def test_the_second_text_is_told_from_the_first(tiny_model_folder):
    backbone = build(tiny_model_folder)
    parts = backbone.processor([Inputs("dog", "rock")])["part"][0, 0]
    assert [part for place, part in enumerate(parts) if place == 0 or part != parts[place - 1]] == [-1, 0, -1, 1, -1]


def test_it_saves_what_it_is_built_from(tiny_model_folder, tmp_path):
    backbone = build(tiny_model_folder)
    batch = backbone.processor([Inputs("A dog", None, PHOTO, SOUND)])
    backbone.save(tmp_path)
    torch.testing.assert_close(build(tmp_path)(batch).tokens, backbone(batch).tokens)


def test_an_image_tower_by_name_reads_photos_alone():
    backbone = build("timm/test_resnet.r160_in1k", pretrained=False)
    assert backbone.reads == ("image",)
    assert backbone(backbone.processor([Inputs(image=PHOTO)])).tokens.shape[:2] == (1, 1)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("README.md", "README.md: a file, no backbone; give the folder of a saved model"),
        ("tests", "tests: no config.json in it, so no backbone; give a folder that save_pretrained wrote"),
        ("./nowhere", "./nowhere: no such folder; give the folder of a saved model, or nano or minilm"),
        ("no/such-model", "no/such-model: no backbone .* give nano, minilm, an image tower"),
    ],
)
def test_what_is_no_backbone_is_refused_in_one_line(place, message, monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(ValueError, match=message) as caught:
        build(place)
    assert "\n" not in str(caught.value)
