"""The contract of every library's towers that hear, over tiny random ones, and their weights from files and folders."""

import subprocess
import sys

import pytest
import timm
import torch
import torchaudio
import transformers
from safetensors.torch import save_file
from timm.models import save_for_hf
from torch import nn
from torch.nn import functional

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.audio import AudioEncoder, create_trunk, load_pretrained, resolve
from mm_memgpt.encoders.audio_torchaudio import BUNDLES
from mm_memgpt.encoders.audio_trunk import ADAPTERS, adapter, probe
from mm_memgpt.types import InputError

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
AST = {**SIZES, "num_mel_bins": 32, "max_length": 128, "patch_size": 8, "frequency_stride": 6, "time_stride": 6}
WHISPER = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 24, "num_mel_bins": 20}
WHISPER |= {"max_source_positions": 60, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 8}
WHISPER |= {"vocab_size": 30, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
CLAP = {"spec_size": 32, "num_mel_bins": 16, "patch_size": 2, "patch_stride": [2, 2], "window_size": 4}
CLAP |= {"depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16}
CLAP |= {"projection_dim": 6}
SECOND = {"max_length_s": 1, "hop_length": 800}  # 61 frames, and the tower of 32 x 32 takes 64 of 16 bins
WAVES = {**SIZES, "conv_dim": [8, 8, 8], "conv_stride": [8, 8, 5], "conv_kernel": [16, 16, 10], "layerdrop": 0.0}
WAVES |= {"num_feat_extract_layers": 3, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
TORCHAUDIO = {
    "extractor_mode": "group_norm",
    "extractor_conv_layer_config": [[8, 16, 8], [8, 16, 8], [8, 10, 5]],
    "extractor_conv_bias": False,
    "encoder_embed_dim": 16,
    "encoder_projection_dropout": 0.0,
    "encoder_pos_conv_kernel": 8,
    "encoder_pos_conv_groups": 2,
    "encoder_num_layers": 2,
    "encoder_num_heads": 2,
    "encoder_attention_dropout": 0.0,
    "encoder_ff_interm_features": 24,
    "encoder_ff_interm_dropout": 0.0,
    "encoder_dropout": 0.0,
    "encoder_layer_norm_first": False,
    "encoder_layer_drop": 0.0,
    "aux_num_out": None,
}


def config(trunk: str, bands: int = 1, times: int = 3, **trunk_args) -> AudioConfig:
    return AudioConfig(trunk=trunk, trunk_args=trunk_args, bands=bands, times=times, heads=2)


CATALOGUE = {
    "timm efficientnet": (config("timm/test_efficientnet", 2), (64, 2, 4)),
    "timm resnet": (config("timm/test_resnet", 2), (96, 2, 4)),
    "timm vit": (AudioConfig(trunk="timm/test_vit", seconds=0.95, heads=2), (64, 4, 6)),
    "transformers ast": (config("transformers/audio-spectrogram-transformer", 2, **AST), (16, 5, 16)),
    "transformers whisper": (config("transformers/whisper", **WHISPER), (16, 1, 49)),
    "transformers clap": (config("transformers/clap_audio_model", 2, **CLAP, feature_extractor=SECOND), (16, 4, 16)),
    "transformers fused clap": (
        config("transformers/clap_audio_model", **CLAP, enable_fusion=True, feature_extractor=SECOND),
        (16, 4, 16),
    ),
    "transformers wav2vec2": (config("transformers/wav2vec2", **WAVES), (16, 1, 47)),
    "transformers hubert": (config("transformers/hubert", **WAVES), (16, 1, 47)),
    "transformers wavlm": (config("transformers/wavlm", **WAVES), (16, 1, 47)),
    "torchaudio wav2vec2": (config("torchaudio/wav2vec2_model", **TORCHAUDIO), (16, 1, 47)),
}
"""Towers with an item of about a second, and the shape of their map."""

every_trunk = pytest.mark.parametrize("name", CATALOGUE)


def build(name: str, **changes) -> AudioEncoder:
    torch.manual_seed(0)
    return AudioEncoder(AudioConfig(**{**vars(CATALOGUE[name][0]), **changes}), width=8, key_width=6)


def sounds(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def same(trunk: nn.Module, source: nn.Module) -> bool:
    """Whether every parameter of the trunk is the source's of that name."""
    theirs = dict(source.named_parameters())
    return all(torch.equal(value, theirs[name]) for name, value in trunk.named_parameters())


@every_trunk
def test_any_trunk_makes_the_same_features(name):
    encoder = build(name).eval()
    given, shape = CATALOGUE[name]
    features = encoder(sounds(2, 3, given.samples))  # b n t
    assert features.tokens.shape == (2, 3, given.tokens, 8)  # b n p d
    assert features.mask.all()
    torch.testing.assert_close(features.key.norm(dim=-1), torch.ones(2, 3))
    assert probe(encoder.trunk, given).map.shape[1:] == shape


@every_trunk
def test_every_parameter_gets_a_gradient(name):
    encoder = build(name).train()
    for parameter in encoder.parameters():  # zero starts hold gradients back for one step, so leave them
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    features = encoder(sounds(2, 2, CATALOGUE[name][0].samples))
    loss = (features.tokens * sounds(*features.tokens.shape)).sum() + (features.key * sounds(2, 2, 6)).sum()
    loss.backward()
    lacking = [
        name for name, p in encoder.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert lacking == []


@every_trunk
def test_a_frozen_trunk_stays_as_it_is_and_a_thawed_one_learns(name):
    encoder = build(name).freeze().train()
    before = {name: value.clone() for name, value in encoder.trunk.state_dict().items()}
    waveforms = sounds(2, 2, CATALOGUE[name][0].samples)
    encoder(waveforms).tokens[..., 0].sum().backward()
    assert encoder.position.grad.any()
    assert all(parameter.grad is None for parameter in encoder.trunk.parameters())
    assert all(torch.equal(value, before[name]) for name, value in encoder.trunk.state_dict().items())
    encoder.thaw()
    encoder(waveforms).tokens[..., 0].sum().backward()
    assert any(parameter.grad.any() for parameter in encoder.trunk.parameters() if parameter.grad is not None)


def test_what_whisper_never_trains_stays_untrained_when_thawed():
    encoder = build("transformers whisper").freeze().thaw()
    assert not encoder.trunk.embed_positions.weight.requires_grad
    assert encoder.trunk.conv1.weight.requires_grad


@pytest.mark.parametrize("name", ["timm vit", "transformers ast", "transformers whisper", "transformers clap"])
@pytest.mark.parametrize("late", [False, True])
def test_a_click_changes_most_where_it_is_heard(name, late):
    """Time goes from left to right, and the map ends where the item ends, though the tower may hear longer."""
    encoder = build(name).eval()
    given = encoder.config
    click = sounds(1, given.samples).repeat(2, 1) * 0.1
    place = given.samples * 7 // 8 if late else given.samples // 8
    click[1, place : place + 200] += 0.9 * torch.sin(torch.arange(200) * 0.7)
    quiet, loud = adapter(given).perceive(encoder.trunk, click, given).map.detach()
    change = (loud - quiet).norm(dim=(0, 1))  # (times,)
    assert (change.argmax() + 0.5) / len(change) == pytest.approx(place / given.samples, abs=0.25)


@every_trunk
def test_building_without_memory_drops_the_same_parameters(name):
    """How a saved model is loaded: built on the meta device, then filled."""
    with torch.device("meta"):
        empty = AudioEncoder(CATALOGUE[name][0], width=8, key_width=6)
    assert empty.state_dict().keys() == build(name).state_dict().keys()
    assert all(value.is_meta for value in empty.parameters())


def test_each_tower_hears_what_its_library_makes_of_the_sound():
    waveform = sounds(1, CATALOGUE["transformers ast"][0].samples)
    ast, whisper = build("transformers ast").eval(), build("transformers whisper").eval()
    extractor = transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=128)
    theirs = ast.trunk(**extractor(waveform[0].numpy(), sampling_rate=16_000, return_tensors="pt")).last_hidden_state
    grid = theirs[0, 2:].T.reshape(16, 5, 21)[:, :, :16]  # 128 frames are 1.28 s, and the item ends at 0.975
    ours = adapter(ast.config).perceive(ast.trunk, waveform, ast.config).map[0]
    assert ours.shape[-1] == 16
    torch.testing.assert_close(ours, grid)
    extractor = transformers.WhisperFeatureExtractor(feature_size=20)
    heard = extractor(waveform[0].numpy(), sampling_rate=16_000, max_length=120 * 160, return_tensors="pt")
    theirs = whisper.trunk(heard.input_features).last_hidden_state
    ours = adapter(whisper.config).perceive(whisper.trunk, waveform, whisper.config).map
    torch.testing.assert_close(ours[0, :, 0], theirs[0, :49].T)


@pytest.mark.parametrize("fused", [False, True])
def test_claps_key_is_its_own_embedding_of_the_sound_at_48_kilohertz(fused, tmp_path):
    """A fused CLAP is run by transformers as one, with nothing longer than it hears."""
    text = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 9}
    fusion = {"enable_fusion": True, "fusion_type": "aff_2d"} if fused else {}
    settings = transformers.ClapConfig(text_config=text, audio_config={**CLAP, **fusion}, projection_dim=6)
    model = transformers.ClapModel(settings).eval()
    model.save_pretrained(tmp_path)
    kind = "fusion" if fused else "rand_trunc"
    extractor = transformers.ClapFeatureExtractor(feature_size=16, truncation=kind, **SECOND)
    extractor.save_pretrained(tmp_path)
    named = AudioConfig(trunk=f"transformers/{tmp_path}", key="trunk", times=3, heads=2)
    given = resolve(named)
    assert given.trunk == "transformers/clap_audio_model"
    assert str(tmp_path) not in str(given.trunk_args)
    encoder = AudioEncoder(given, width=8, key_width=6).eval()
    load_pretrained(encoder.trunk, named)
    waveforms = sounds(2, given.samples)
    raised = torchaudio.functional.resample(waveforms, 16_000, 48_000)
    heard = extractor(list(raised.numpy()), sampling_rate=48_000, return_tensors="pt")
    heard["is_longer"] = torch.zeros(2, 1, dtype=torch.bool)
    expected = model.get_audio_features(**heard).pooler_output
    torch.testing.assert_close(encoder(waveforms.unsqueeze(1)).key[:, 0], functional.normalize(expected, dim=-1))


def test_a_saved_whisper_lends_its_encoder(tmp_path):
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**WHISPER))
    model.save_pretrained(tmp_path)
    transformers.WhisperFeatureExtractor(feature_size=20).save_pretrained(tmp_path)
    named = config(f"transformers/{tmp_path}")
    given = resolve(named)
    assert given.trunk == "transformers/whisper"
    assert same(create_trunk(named, pretrained=True), model.model.encoder)
    encoder = AudioEncoder(given, width=8, key_width=6)
    load_pretrained(encoder.trunk, given, str(tmp_path / "model.safetensors"))
    assert same(encoder.trunk, model.model.encoder)


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "audio-spectrogram-transformer"])
def test_a_saved_tower_is_loaded_from_its_folder(kind, tmp_path):
    sizes = AST if kind.startswith("audio") else {**WAVES, "feat_extract_norm": "layer"}
    model = transformers.AutoModel.from_config(transformers.CONFIG_MAPPING[kind](**sizes))
    model.save_pretrained(tmp_path)
    if kind == "hubert":
        transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    named = config(f"transformers/{tmp_path}")
    given = resolve(named)
    assert given.trunk == f"transformers/{kind}"
    assert given.trunk_args.get("feature_extractor", {}).get("do_normalize", True) == (kind != "hubert")
    trunk = create_trunk(given)
    load_pretrained(trunk, named)
    assert same(trunk, model)


def test_a_tower_of_one_channel_takes_the_weights_of_photos(tmp_path):
    model = timm.create_model("test_efficientnet")
    save_file(model.state_dict(), tmp_path / "photos.safetensors")
    trunk = create_trunk(config("timm/test_efficientnet"), str(tmp_path / "photos.safetensors"))
    torch.testing.assert_close(trunk.conv_stem.weight, model.conv_stem.weight.sum(1, keepdim=True))
    save_for_hf(model, tmp_path / "folder", safe_serialization=True)
    named = config(f"timm/local-dir:{tmp_path}/folder")
    assert resolve(named).trunk == "timm/test_efficientnet"
    assert same(create_trunk(named, pretrained=True), trunk)


def test_a_torchaudio_file_is_loaded_without_its_head(tmp_path):
    model = torchaudio.models.wav2vec2_model(**{**TORCHAUDIO, "aux_num_out": 5})
    torch.save(model.state_dict(), tmp_path / "wav2vec2.pt")
    given = config("torchaudio/wav2vec2_model", **TORCHAUDIO)
    trunk = create_trunk(given, str(tmp_path / "wav2vec2.pt")).eval()
    assert same(trunk, model)
    waveform = sounds(1, given.samples)
    ours = adapter(given).perceive(trunk, waveform, given).map[0, :, 0].T
    torch.testing.assert_close(ours, model.eval().extract_features(waveform)[0][-1][0])


def test_what_we_keep_of_a_trunk_can_be_given_back(tmp_path):
    given = CATALOGUE["transformers whisper"][0]
    kept = create_trunk(given)
    save_file(kept.state_dict(), tmp_path / "trunk.safetensors")
    assert same(create_trunk(given, str(tmp_path / "trunk.safetensors")), kept)


@pytest.mark.parametrize("name", ["timm efficientnet", "transformers wav2vec2", "torchaudio wav2vec2"])
def test_weights_of_another_tower_are_refused(name, tmp_path):
    save_file({"other": torch.zeros(2)}, tmp_path / "other.safetensors")
    given = CATALOGUE[name][0]
    with pytest.raises(InputError, match=rf"other.safetensors: not what {given.trunk} can load \(.*; give a file or"):
        create_trunk(given, str(tmp_path / "other.safetensors"))


def test_torchaudios_builders_are_normalised_as_their_weights_were():
    for name, (bundle, normalises) in BUNDLES.items():
        assert callable(getattr(torchaudio.models, name))
        assert bundle is None or getattr(torchaudio.pipelines, bundle)._normalize_waveform == normalises


def test_builders_of_torchaudio_by_name():
    with torch.device("meta"):
        encoder = AudioEncoder(config("torchaudio/hubert_base", times=5), width=8, key_width=6).eval()
        features = encoder(torch.zeros(1, 2, 15_600))
    assert features.tokens.shape == (1, 2, 5, 8)
    assert encoder.key.in_features == 768


def test_a_tower_of_your_own_needs_one_file(tmp_path, monkeypatch):
    (tmp_path / "loudness_trunk.py").write_text(
        "from torch import nn\n"
        "from mm_memgpt.encoders.base import TrunkOutput\n"
        "def create(name, config, weights):\n"
        "    return nn.Conv1d(1, config.trunk_args['width'], 400, stride=400)\n"
        "def perceive(trunk, waveforms, config):\n"
        "    return TrunkOutput(trunk(waveforms.unsqueeze(1)).unsqueeze(2), None)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(ADAPTERS, "mine", "loudness_trunk")
    encoder = AudioEncoder(config("mine/loudness", times=4, width=7), width=8, key_width=6)
    assert encoder(sounds(2, 1, 15_600)).tokens.shape == (2, 1, 4, 8)


@pytest.mark.slow
def test_only_the_chosen_library_is_imported():
    code = (
        "import sys; from mm_memgpt.config import AudioConfig; from mm_memgpt.encoders.audio import AudioEncoder;"
        "assert not {'timm', 'torchaudio.models', 'mm_memgpt.encoders.audio_transformers'} & set(sys.modules);"
        "AudioEncoder(AudioConfig(trunk='timm/test_efficientnet'), 8, 6);"
        "assert 'mm_memgpt.encoders.audio_transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (config("keras/yamnet"), "unknown library 'keras'; known: timm, transformers, torchaudio"),
        (config("timm/resnet51"), "timm has no trunk 'resnet51'; try one of .*resnet50"),
        (config("torchaudio/hubert_basis"), "torchaudio has no trunk 'hubert_basis'; try one of hubert_base"),
        (config("transformers/wav2vec3"), "transformers has no trunk 'wav2vec3'; try one of wav2vec2"),
        (config("transformers/bert"), "transformers has no trunk 'bert'; try one of "),
        (
            config("transformers/wav2vec2", colour=1),
            "unknown key 'colour' .* transformers/wav2vec2; see Wav2Vec2Config",
        ),
        (config("timm/test_resnet", colour=1), "{'colour': 1} do not fit 'timm/test_resnet' .*unexpected"),
        (config("torchaudio/hubert_base", colour=1), "{'colour': 1} do not fit 'torchaudio/hubert_base' .*unexpected"),
        (config("transformers/whisper", **{**WHISPER, "max_source_positions": 30}), "it hears 0.6 seconds at most, an"),
        (config("transformers//no/such/folder"), "is a saved model; give resolve"),
    ],
)
def test_a_trunk_that_cannot_serve_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        AudioEncoder(given, width=8, key_width=6)


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        (
            "transformers/whisper",
            "names a kind of tower, not a saved one; name one, such as transformers/openai/whisper",
        ),
        ("transformers//no/such/folder", "/no/such/folder: no such folder; give the folder of a saved model, or its"),
        ("torchaudio/.", "torchaudio has no model folders; name the trunk .*pretrained='PATH'"),
        ("torchaudio/wav2vec2_model", "torchaudio has no weights of it; give a local file: pretrained='PATH'"),
    ],
)
def test_a_name_without_weights_is_refused_with_the_way_out(trunk, message):
    arguments = TORCHAUDIO if trunk.endswith("wav2vec2_model") else {}
    with pytest.raises(InputError, match=message):
        create_trunk(config(trunk, **arguments), pretrained=True)
