"""A model with other parts than it was trained with: ears, closer eyes, other fusion; what fits keeps its weights.

Notable: what is new begins as it would in a new model, and only parts that were asked for may be new or left behind.
"""

import copy

from mm_memgpt.config import AudioConfig, FusionConfig, MotionConfig
from mm_memgpt.encoders.audio import resolve
from mm_memgpt.models.auto import model_class
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.types import InputError


def grow(
    model: MMMemGPTForConditionalGeneration,
    audio: AudioConfig | None = None,
    fusion: FusionConfig | None = None,
    motion: MotionConfig | None = None,
) -> MMMemGPTForConditionalGeneration:
    """The model with these parts in place of its own, in evaluation mode.

    Args:
        model: stays as it was.
        audio: None leaves hearing as it is.
        fusion: None leaves fusion as it is.
        motion: None leaves it as it is.

    Raises:
        InputError: a weight that should stay has another size in the new model, or has no place in it; or there is no
            such saved model to hear with.
        ValueError: parts that do not fit together.
    """
    changed = {"audio_encoder.": audio, "motion_encoder.": motion, "fuser.": fusion}
    parts = tuple(prefix for prefix, config in changed.items() if config is not None)
    if not parts:
        return model
    config = copy.deepcopy(model.config)
    config.audio = config.audio if audio is None else resolve(audio)
    config.fusion = config.fusion if fusion is None else fusion
    config.motion = config.motion if motion is None else motion
    config = type(config).from_dict(config.to_dict())  # which checks that the parts fit together
    grown = model_class(config)(config).eval()
    grown.generation_config = copy.deepcopy(model.generation_config)
    before, after = model.state_dict(), grown.state_dict()
    kept = {name: value for name, value in before.items() if name in after and after[name].shape == value.shape}
    if odd := sorted(name for name in {*before, *after} - kept.keys() if not name.startswith(parts)):
        raise InputError(f"{odd[0]} does not stay as it was with these parts; take the start's own sizes")
    grown.load_state_dict(after | kept)
    return grown
