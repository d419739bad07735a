"""transformers' towers that hear: AST, Whisper's encoder, CLAP with the space it shares with text, wav2vec 2.0, ...

Notable: the arguments are the tower's own config, so what `resolve` makes of a saved model holds all of it but its
weights; each hears through its own feature extractor, whose arguments lie under the key `feature_extractor`; towers of
a fixed length (AST, Whisper, CLAP) get the item filled up to it, and the map ends where the item does.

x items   t samples   c trunk width   k width of the shared space
"""

import inspect
import json
from contextlib import suppress
from dataclasses import replace
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import torch
import transformers
from einops import rearrange
from torch import Tensor, nn
from torchaudio.functional import resample
from transformers import CONFIG_MAPPING, AutoConfig, BatchFeature, PreTrainedConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.base import HUB, TrunkOutput, lay_out, read_weights, unknown, weight_file
from mm_memgpt.encoders.transformers_trunk import BOOKKEEPING
from mm_memgpt.types import InputError

AST, WHISPER, CLAP = "audio-spectrogram-transformer", "whisper", "clap_audio_model"

TOWERS = {
    AST: ("ASTModel", "ASTFeatureExtractor"),
    WHISPER: ("WhisperModel", "WhisperFeatureExtractor"),
    CLAP: ("ClapAudioModelWithProjection", "ClapFeatureExtractor"),
    "wav2vec2": ("Wav2Vec2Model", "Wav2Vec2FeatureExtractor"),
    "hubert": ("HubertModel", "Wav2Vec2FeatureExtractor"),
    "wavlm": ("WavLMModel", "Wav2Vec2FeatureExtractor"),
}
"""The model and the feature extractor of each type. Of Whisper only the encoder is kept."""

EXTRACTOR = "feature_extractor"
"""Key of the feature extractor's arguments among the trunk's."""


def create(name: str, config: AudioConfig, weights: bool | str) -> nn.Module:
    """The tower of a model type, with its arguments.

    Raises:
        ValueError: the type is unknown or does not hear, or an unknown argument.
        InputError: weights asked for by a name that has none.
    """
    settings = _settings(name, config)
    _extractor(name, config)
    kind = getattr(transformers, TOWERS[name][0])
    if weights is False:
        return WhisperEncoder(settings) if name == WHISPER else kind(settings)
    if weights is True:
        raise InputError(
            f"transformers/{name} names a kind of tower, not a saved one; name one, such as "
            "transformers/openai/whisper-tiny, or give a local file or folder: pretrained='PATH'"
        )
    whole = weights.startswith(HUB) or Path(weights).is_dir()
    place, source = (weights.removeprefix(HUB), None) if whole else (None, read_weights(weight_file(weights)))
    trunk, found = kind.from_pretrained(
        place, config=settings, state_dict=source, dtype=torch.get_default_dtype(), output_loading_info=True
    )
    lacking = [*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])]
    if kept := [key for key in lacking if not key.startswith("decoder.")]:
        raise ValueError(f"{sorted(kept)[0]} is missing or of another shape")
    return trunk.encoder if name == WHISPER else trunk


def perceive(trunk: nn.Module, waveforms: Tensor, config: AudioConfig) -> TrunkOutput:
    """The last map, and for CLAP the embedding.

    Raises:
        ValueError: the items are longer than the tower hears.
    """
    name = config.trunk.partition("/")[2]
    extractor = _extractor(name, config)
    longest, length = _longest(name, extractor, trunk.config), waveforms.shape[1] / config.rate
    if longest is not None and length > longest:
        raise ValueError(f"it hears {longest:g} seconds at most, an item has {length:g}")
    features, dtype = _extract(name, extractor, trunk.config, waveforms, config.rate), next(trunk.parameters()).dtype
    heard = trunk(**{key: value.to(waveforms.device, dtype) for key, value in features.items()})
    seen = _as_map(heard.last_hidden_state, name, trunk.config)  # (x, c, bands, times)
    if longest is not None:
        seen = seen[..., : ceil(seen.shape[-1] * length / longest)]
    return TrunkOutput(seen, heard.audio_embeds if name == CLAP else None)


def read(place: str, config: AudioConfig) -> AudioConfig:
    """The type, config and feature extractor of a saved tower, or of the half of a saved CLAP that hears."""
    where = place.removeprefix(HUB)
    whole = AutoConfig.from_pretrained(where)
    saved = getattr(whole, "audio_config", whole)
    if saved.model_type not in TOWERS:
        raise ValueError(f"a model of type {saved.model_type}; known: {', '.join(TOWERS)}")
    arguments = {key: value for key, value in saved.to_diff_dict().items() if key not in BOOKKEEPING}
    if saved is not whole:
        arguments["projection_dim"] = whole.projection_dim  # of the whole CLAP, which decides
    kind = getattr(transformers, TOWERS[saved.model_type][1])
    with suppress(OSError):  # a model may be saved without one
        found, _ = kind.get_feature_extractor_dict(where)
        known = set(inspect.signature(kind.__init__).parameters)
        arguments[EXTRACTOR] = {key: value for key, value in found.items() if key in known}
    return replace(config, trunk=f"transformers/{saved.model_type}", trunk_args={**arguments, **config.trunk_args})


def _settings(name: str, config: AudioConfig) -> PreTrainedConfig:
    if name not in TOWERS:
        raise unknown("transformers", name, TOWERS, (AST, WHISPER, CLAP, "wav2vec2"))
    arguments = {key: value for key, value in config.trunk_args.items() if key != EXTRACTOR}
    known = CONFIG_MAPPING[name]()
    if odd := [key for key in arguments if not hasattr(known, key)]:
        raise ValueError(
            f"unknown key {odd[0]!r} in audio.trunk_args of transformers/{name}; see {type(known).__name__}"
        )
    settings = CONFIG_MAPPING[name].from_dict(arguments)
    settings.mask_time_prob = settings.mask_feature_prob = 0.0  # wav2vec 2.0's own augmentation has a parameter
    settings.enable_fusion = False  # CLAP's, of several parts of what is longer than it hears; no item is
    return settings


def _extractor(name: str, config: AudioConfig) -> Any:
    """The feature extractor, as the tower's config wants it and the arguments under EXTRACTOR change it."""
    settings = _settings(name, config)
    own = {
        AST: lambda: {"num_mel_bins": settings.num_mel_bins, "max_length": settings.max_length},
        WHISPER: lambda: {"feature_size": settings.num_mel_bins},
        CLAP: lambda: {
            "feature_size": settings.num_mel_bins,
            "truncation": "fusion" if config.trunk_args.get("enable_fusion") else "rand_trunc",  # chooses its filters
        },
    }.get(name, dict)()
    return _built(TOWERS[name][1], json.dumps({**own, **config.trunk_args.get(EXTRACTOR, {})}))


@cache
def _built(kind: str, arguments: str) -> Any:
    with torch.device("cpu"):
        return getattr(transformers, kind)(**json.loads(arguments))


def _longest(name: str, extractor: Any, settings: PreTrainedConfig) -> float | None:
    """Seconds that the tower always hears; None where it takes any."""
    if name == AST:
        return settings.max_length * 0.010  # Kaldi's step
    if name == WHISPER:
        return 2 * settings.max_source_positions * extractor.hop_length / extractor.sampling_rate  # conv2 halves
    return extractor.max_length_s if name == CLAP else None


def _extract(
    name: str, extractor: Any, settings: PreTrainedConfig, waveforms: Tensor, rate: int
) -> dict[str, Tensor] | BatchFeature:
    """The tower's own features; the extractors are NumPy's, so they run on the CPU, and pass no gradient."""
    silent = torch.zeros(waveforms.shape, device="cpu") if waveforms.is_meta else waveforms.detach().float().cpu()
    with torch.device("cpu"):
        sounds = list(resample(silent, rate, extractor.sampling_rate).numpy())
        sizes = {"max_length": 2 * settings.max_source_positions * extractor.hop_length} if name == WHISPER else {}
        features = extractor(sounds, sampling_rate=extractor.sampling_rate, return_tensors="pt", **sizes)
    if name == CLAP:  # for fusion its extractor repeats the spectrogram, and draws one to be called too long
        return {"input_features": features["input_features"][:, :1]}
    return features


def _as_map(hidden: Tensor, name: str, settings: PreTrainedConfig) -> Tensor:
    if name == CLAP:
        return hidden
    if name != AST:
        return rearrange(hidden, "x s c -> x c 1 s")
    sides = (settings.num_mel_bins, settings.frequency_stride), (settings.max_length, settings.time_stride)
    return lay_out(hidden, *((side - settings.patch_size) // step + 1 for side, step in sides))
