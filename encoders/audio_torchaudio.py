"""torchaudio's towers on the waveform: wav2vec 2.0, HuBERT and WavLM by the names of their builders.

Notable: the argument `normalize_waveform` says whether an item is first brought to mean 0 and deviation 1; it is by
default what the builder's own pretrained weights were trained with.

x items   t samples   c trunk width
"""

import torchaudio
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from torchaudio.functional import resample

from mm_memgpt.config import AudioConfig
from mm_memgpt.encoders.base import HUB, TrunkOutput, read_weights, unknown, weight_file
from mm_memgpt.types import InputError

RATE = 16_000
"""What all these towers were trained at."""

BUNDLES = {
    "wav2vec2_base": ("WAV2VEC2_BASE", False),
    "wav2vec2_large": ("WAV2VEC2_LARGE", False),
    "wav2vec2_large_lv60k": ("WAV2VEC2_LARGE_LV60K", True),
    "wav2vec2_xlsr_300m": ("WAV2VEC2_XLSR_300M", True),
    "wav2vec2_xlsr_1b": ("WAV2VEC2_XLSR_1B", True),
    "hubert_base": ("HUBERT_BASE", False),
    "hubert_large": ("HUBERT_LARGE", True),
    "hubert_xlarge": ("HUBERT_XLARGE", True),
    "wavlm_base": ("WAVLM_BASE", False),
    "wavlm_large": ("WAVLM_LARGE", True),
    "wav2vec2_model": (None, False),
    "wavlm_model": (None, False),
}
"""Builders, each with its pretrained weights and whether those want the waveform normalised; the last two take every
size as an argument and have no weights of their own."""

OWN_KEYS = ("normalize_waveform",)


def create(name: str, config: AudioConfig, weights: bool | str) -> nn.Module:
    """The torchaudio tower.

    Raises:
        ValueError: torchaudio does not know the name.
        InputError: there are no weights of that name.
    """
    if name not in BUNDLES:
        raise unknown("torchaudio", name, BUNDLES, ("wav2vec2_base", "hubert_base"))
    arguments = {key: value for key, value in config.trunk_args.items() if key not in OWN_KEYS}
    trunk = getattr(torchaudio.models, name)(**arguments)
    if weights:
        found = trunk.load_state_dict(_state(name, weights), strict=False)
        if found.missing_keys:  # more than is needed is no error: a saved model may have a head
            raise ValueError(f"{found.missing_keys[0]} is missing")
    return trunk


def perceive(trunk: nn.Module, waveforms: Tensor, config: AudioConfig) -> TrunkOutput:
    """The last layer's output over time, one band; these towers share no space with text."""
    _, normalises = BUNDLES[config.trunk.partition("/")[2]]
    sound = resample(waveforms.float(), config.rate, RATE)
    if config.trunk_args.get("normalize_waveform", normalises):
        sound = functional.layer_norm(sound, sound.shape[-1:])
    seen, _ = trunk(sound.to(next(trunk.parameters()).dtype))  # (x, s, c)
    return TrunkOutput(rearrange(seen, "x s c -> x c 1 s"), None)


def read(place: str, config: AudioConfig) -> AudioConfig:
    """torchaudio saves weights only, so there is nothing to read.

    Raises:
        InputError: always; the message has the way out.
    """
    raise InputError(
        f"{place.removeprefix(HUB)}: torchaudio has no model folders; name the trunk (torchaudio/wav2vec2_base) and "
        "give the file of weights: pretrained='PATH'"
    )


def _state(name: str, weights: bool | str) -> dict[str, Tensor]:
    if isinstance(weights, str):
        return read_weights(weight_file(weights))
    bundle, _ = BUNDLES[name]
    if bundle is None:
        raise InputError(f"torchaudio/{name}: torchaudio has no weights of it; give a local file: pretrained='PATH'")
    model = getattr(torchaudio.pipelines, bundle).get_model()
    return getattr(model, "model", model).state_dict()  # some come inside a module that normalises
