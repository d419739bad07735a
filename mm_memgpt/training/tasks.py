"""What each objective of a recipe trains, feeds and keeps.

Notable: a new kind of run is a new function here and a row in `build_task`, never a second loop.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from safetensors.torch import save_file
from torch.utils.data import default_collate

from mm_memgpt.encoders.audio import create_trunk as create_audio_trunk
from mm_memgpt.encoders.image import create_trunk, pixel_statistics, resolve
from mm_memgpt.knowledge.sound_teacher import RATE, SoundTeacher
from mm_memgpt.knowledge.teacher import ImageTeacher
from mm_memgpt.models.assembly import LONGEST_CAPTION
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.objectives.captioning import Captioning
from mm_memgpt.objectives.contrastive import Contrastive
from mm_memgpt.objectives.distillation import Distillation, TrunkDistillation
from mm_memgpt.objectives.hearing import Hearing, TrunkHearing
from mm_memgpt.objectives.lipreading import FrameWords, Lipreading
from mm_memgpt.objectives.self_critical import CiderReward, SelfCritical
from mm_memgpt.presets import PRESETS
from mm_memgpt.training.examples import (
    CaptionExample,
    DistillationExample,
    PadText,
    RewardExample,
    SentenceExample,
    stack_photos,
)
from mm_memgpt.training.hearing import HearingExample, audio_config, open_sounds
from mm_memgpt.training.library import Library
from mm_memgpt.training.lips import stack_stretches, stretches_of
from mm_memgpt.training.memory_tasks import recalling_task, remembering_task
from mm_memgpt.training.recipe import Augment, Recipe
from mm_memgpt.training.sources import reader_of
from mm_memgpt.training.starting import caption_model, image_config
from mm_memgpt.training.task import Task, keeper
from mm_memgpt.types import InputError


def build_task(recipe: Recipe) -> Task:
    """The task of the recipe's objective."""
    tasks = {
        "distillation": distillation_task,
        "hearing": hearing_task,
        "language": language_task,
        "captioning": captioning_task,
        "contrastive": contrastive_task,
        "self_critical": self_critical_task,
        "lipreading": lipreading_task,
        "remembering": remembering_task,
        "recalling": recalling_task,
    }
    return tasks[recipe.objective](recipe)


def distillation_task(recipe: Recipe) -> Task:
    """A trunk that answers like the teacher on the same crop; keeps trunk.safetensors.

    Raises:
        InputError: no such tower, or it lacks a map of one of the teacher's strides.
    """
    config = resolve(image_config(recipe) or PRESETS[recipe.preset]().image)
    path = Path(recipe.data.root) / recipe.teacher
    teacher = ImageTeacher(path)
    trunk, statistics = create_trunk(config), pixel_statistics(config)
    try:
        model = TrunkDistillation(trunk, statistics.size, teacher.size, teacher.map_shapes, teacher.classes)
    except ValueError as error:
        raise InputError(f"{config.trunk} at {statistics.size} pixels: {error}; take another tower or size") from None

    def keep(output: Path) -> None:
        save_file(trunk.state_dict(), output / "trunk.safetensors")

    def example(augment: Augment | None) -> DistillationExample:
        return DistillationExample(path, statistics, model.grids, augment)

    return Task(model, Distillation(), example, default_collate, keep)


def hearing_task(recipe: Recipe) -> Task:
    """An audio trunk that knows of a piece of sound what the teacher does, and its label.

    Keeps audio_trunk.safetensors, and label_head.safetensors, whose metadata names the labels, where there are any.

    Raises:
        InputError: nothing says how sounds are heard, no such trunk, another length than the teacher hears, or a source
            is streamed.
    """
    config = audio_config(recipe)
    path = Path(recipe.data.root) / recipe.teacher
    teacher = SoundTeacher(path)
    if (config.rate, config.samples) != (RATE, teacher.samples):
        heard = f"{config.samples} samples at {config.rate} Hz, the teacher {teacher.samples} at {RATE}"
        raise InputError(f"{path}: the trunk hears {heard}; set audio.rate and audio.seconds to the teacher's")
    try:
        trunk = create_audio_trunk(config)
        model = TrunkHearing(trunk, config, teacher.width, teacher.classes, len(recipe.labels), len(recipe.words))
    except ValueError as error:
        raise InputError(f"audio: {error}") from None
    readers = open_sounds(recipe.data)

    def keep(output: Path) -> None:
        save_file(model.trunk.state_dict(), output / "audio_trunk.safetensors")
        if model.label_head is not None:
            names = {"labels": json.dumps(recipe.labels)}
            save_file(model.label_head.state_dict(), output / "label_head.safetensors", names)

    def example(augment: Augment | None) -> HearingExample:
        how = (recipe.sounds, readers) if augment is not None else (None, ())
        return HearingExample(path, recipe.labels, *how, recipe.words, model.places)

    return Task(model, Hearing(), example, default_collate, keep, given="input_values", readers=readers)


def language_task(recipe: Recipe) -> Task:
    """A decoder that has read sentences without a photo, before it is shown any; keeps the whole model.

    What reads the memory has no part in it and stays as it was.

    Raises:
        InputError: the language model is an encoder-decoder.
    """
    model, processor = caption_model(recipe)
    if model.writes_from_a_source:
        name = recipe.start or recipe.decoder
        raise InputError(f"{name}: an encoder-decoder; language training needs a causal model")
    for part in (model.image_encoder, model.audio_encoder, model.fuser, model.text_encoder):
        if part is not None:
            part.requires_grad_(False)
    begin, pad = model.begin(1).item(), processor.tokenizer.pad_token_id

    def example(augment: Augment | None) -> SentenceExample:
        return SentenceExample(processor.tokenizer, begin, recipe.captions, recipe.longest)

    objective = Captioning(recipe.smoothing)
    return Task(model, objective, example, PadText(pad), keeper(model, processor), given="input_ids")


def captioning_task(recipe: Recipe) -> Task:
    """The whole model, end to end; keeps it as a model folder in fp16."""
    model, processor = caption_model(recipe)
    written = "decoder_" if model.writes_from_a_source else ""
    collate = PadText(processor.tokenizer.pad_token_id, written)
    objective = Captioning(recipe.smoothing, written)
    return Task(model, objective, caption_examples(recipe, model, processor), collate, keeper(model, processor))


def contrastive_task(recipe: Recipe) -> Task:
    """The keys of photos and sentences; what writes stays as it was. Keeps the whole model.

    Raises:
        InputError: the model has no text encoder.
    """
    model, processor = caption_model(recipe)
    if model.text_encoder is None:
        raise InputError(f"{recipe.start or recipe.preset}: has no text encoder; contrastive training needs text in it")
    model.config.text.rerank = recipe.rerank
    model.requires_grad_(False)
    model.image_encoder.freeze()
    model.text_encoder.requires_grad_(True)
    if model.image_encoder.key is not None:
        model.image_encoder.key.requires_grad_(True)
    collate = PadText(processor.tokenizer.pad_token_id)
    return Task(model, Contrastive(), caption_examples(recipe, model, processor), collate, keeper(model, processor))


def self_critical_task(recipe: Recipe) -> Task:
    """The whole model, rewarded for captions like people's; keeps it as a model folder in fp16.

    The words' embeddings stay as they are, because the keys of sentences are made of them.
    """
    model, processor = caption_model(recipe)
    model.get_input_embeddings().requires_grad_(False)
    if recipe.optimiser.trunk_rate == 0:
        model.image_encoder.freeze()
    statistics = pixel_statistics(model.config.image)
    reward = CiderReward(training_sentences(recipe))

    def example(augment: Augment | None) -> RewardExample:
        return RewardExample(statistics, augment)

    length = model.generation_config.max_new_tokens or LONGEST_CAPTION
    objective = SelfCritical(processor.tokenizer, reward, recipe.captions, length)
    return Task(model, objective, example, stack_photos, keeper(model, processor))


def lipreading_task(recipe: Recipe) -> Task:
    """What sees motion, from the words that people say in clips; keeps motion_encoder.safetensors.

    Raises:
        InputError: no words to learn, a model that sees no motion, or clips whose words have no times.
    """
    if not recipe.words:
        raise InputError("lipreading learns words; list them under the key 'words'")
    model, _ = caption_model(recipe)
    if model.motion_encoder is None:
        raise InputError("lipreading: the model sees no motion; add the key 'motion', {} for its defaults")
    model.image_encoder.freeze()
    library = Library(model, recipe.data.root, Path(recipe.remember.maps), ears=False)

    def keep(output: Path) -> None:
        save_file(model.motion_encoder.state_dict(), output / "motion_encoder.safetensors")

    student = FrameWords(model.motion_encoder, model.config.width, len(recipe.words))
    examples = partial(stretches_of, recipe, library, model.config.motion)
    return Task(student, Lipreading(), None, stack_stretches, keep, given="maps", examples=examples)


def training_sentences(recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """The sentences of each training photo; a sample that cannot be read has none.

    Raises:
        InputError: the training data are streamed.
    """
    for source in recipe.data.train:
        if source.streaming:
            raise InputError(
                f"{source.path}: is streamed, but word weights need all of its sentences; leave out streaming"
            )
        reader = reader_of(recipe.data.root, source)
        for index in range(len(reader)):
            with suppress(InputError):
                yield reader[index].captions


def caption_examples(
    recipe: Recipe, model: MMMemGPTForConditionalGeneration, processor: MMMemGPTProcessor
) -> Callable[[Augment | None], CaptionExample]:
    """Examples of photos with their sentences for this model; freezes its trunk where the recipe asks for that."""
    if recipe.optimiser.trunk_rate == 0:
        model.image_encoder.freeze()
    statistics = pixel_statistics(model.config.image)
    begin = model.begin(1).item()
    sentences = SentenceExample(processor.tokenizer, begin, recipe.captions, recipe.longest)
    return lambda augment: CaptionExample(sentences, statistics, augment)
