"""Settings of the model and its parts: small keyword-only dataclasses that check themselves.

Notable: the docstring under a field is its help text; sizes that follow from others are properties; a key nobody
knows is refused with the list of the known ones, in a recipe as in a model folder's config.json.
"""

from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from math import gcd
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "a mapping of keys",
}
"""The types a key can have, in words."""


def build(cls: type, values: dict[str, Any], where: str = "") -> Any:
    """Builds the dataclass `cls` from nested dicts and lists, as YAML and JSON hold them.

    Args:
        cls: a dataclass, perhaps of dataclasses.
        values: its fields.
        where: dotted place of these values in the whole, for messages.

    Raises:
        ValueError: an unknown or missing key, or a value of another type; the message names the key and its place.
    """
    place, prefix = (f" in {where}", f"{where}.") if where else ("", "")
    if not isinstance(values, dict):
        raise ValueError(f"{where or cls.__name__} must be {KINDS[dict]}, got {values!r}")
    known = {f.name: f for f in fields(cls)}
    if unknown := sorted(str(key) for key in values if key not in known):
        raise ValueError(f"unknown key {unknown[0]!r}{place}; known keys: {', '.join(sorted(known))}")
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"missing key {name!r}{place}")
    hints = get_type_hints(cls)
    return cls(**{name: _convert(value, hints[name], prefix + name) for name, value in values.items()})


def _convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint`, of several the one that it has, or else the first: whole numbers become floats, lists
    tuples and mappings dataclasses where due."""
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind is UnionType:
        if value is None and NoneType in arguments:
            return None
        fitting = (each for each in arguments if type(value) is (get_origin(each) or each))
        return _convert(value, next(fitting, arguments[0]), where)
    if is_dataclass(kind):
        return value if isinstance(value, kind) else build(kind, value, where)
    if kind in (list, tuple) and isinstance(value, (list, tuple)):
        return kind(_convert(each, arguments[0], f"{where}[{number}]") for number, each in enumerate(value))
    if kind is float and type(value) in (int, str):
        with suppress(ValueError):  # YAML 1.1 takes 1e-3, without a dot, for text
            return float(value)
    if type(value) is not kind:
        raise ValueError(f"{where} must be {KINDS[kind]}, got {value!r}")
    return value


def require(condition: bool, message: str) -> None:
    """Raises ValueError with `message` unless `condition` holds."""
    if not condition:
        raise ValueError(message)


KEYS = ("learned", "trunk")
"""Where an item's retrieval key can come from."""

CONNECTORS = ("resampler", "linear")
"""Ways from a photo's map to its tokens."""

READS = ("before", "after")
"""When a layer reads the memory."""


@dataclass(kw_only=True)
class ImageConfig:
    """How photos become items."""

    trunk: str = "mobilenetv4_conv_small"
    """Name of an image tower, its library before a slash (timm/, open_clip/, torchvision/, transformers/); a name
    without a slash is timm's."""
    trunk_args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the library's own constructor."""
    size: int | None = None
    """Side of the square input in pixels; None takes the trunk's own."""
    grid: int = 5
    """Cells per side of the pooled grid; an item has grid x grid tokens."""
    connector: str = "resampler"
    """From the pooled map to tokens: "resampler", an MLP and a second look at the full map, or "linear", one matrix."""
    heads: int = 8
    """Attention heads of the resampler."""
    key: str = "learned"
    """Retrieval key: "learned" from the pooled map, or "trunk", the tower's own place in a space it shares with text
    (CLIP, SigLIP); the model's key_width is then that space's."""
    mirrored: bool = False
    """Whether, outside training, a photo's mirror image is looked at too and the mean of both is what is seen; for a
    trunk that learned from mirrored photos."""

    def __post_init__(self) -> None:
        require(self.key in KEYS, f"key {self.key!r} is unknown; known: {', '.join(KEYS)}")
        known = ", ".join(CONNECTORS)
        require(self.connector in CONNECTORS, f"connector {self.connector!r} is unknown; known: {known}")
        require(self.grid >= 1, f"grid {self.grid} must be at least 1; try grid=5")
        require(self.size is None or self.size >= 1, f"size {self.size} must be at least 1; try size=None")


@dataclass(kw_only=True)
class AudioConfig:
    """How sounds become items: a trunk hears about a second, and its map is pooled to bands x times tokens."""

    trunk: str = "mobilenetv4_conv_small_050"
    """Name of a tower, its library before a slash (timm/, transformers/, torchaudio/); one without a slash is timm's,
    which sees the spectrogram."""
    trunk_args: dict[str, Any] = field(default_factory=dict)
    """Further arguments of the library's own constructor."""
    rate: int = 16_000
    """Samples a second."""
    seconds: float = 0.975
    """Length of an item."""
    bins: int = 64
    """Mel bands of the spectrogram that timm's trunks see."""
    step: float = 0.010
    """Seconds from one frame of that spectrogram to the next; a finer one has more places in time on a trunk's map."""
    bands: int = 1
    """Cells of the pooled grid over frequency; 1 for trunks that hear the waveform."""
    times: int = 4
    """Cells of the pooled grid over time; an item has bands x times tokens."""
    heads: int = 8
    """Attention heads of the resampler."""
    mean: float = -5.1
    """Mean of the log-mel spectrogram, over ESC-10, spoken digits and GRID in equal parts."""
    std: float = 5.0
    """Its standard deviation."""
    key: str = "learned"
    """Retrieval key: "learned" from the pooled map, or "trunk", the tower's own place in a space it shares with text
    (CLAP); the model's key_width is then that space's."""

    def __post_init__(self) -> None:
        require(self.key in KEYS, f"key {self.key!r} is unknown; known: {', '.join(KEYS)}")
        require(min(self.bands, self.times) >= 1, f"grid {self.bands}x{self.times} must be at least 1x1; try 1x4")
        require(self.rate >= 1000, f"rate {self.rate} must be at least 1000; try rate=16000")
        require(self.bins >= 1, f"bins {self.bins} must be at least 1; try bins=64")
        step = self.step * self.rate >= 1
        require(step, f"step {self.step} must be at least a sample, 1/{self.rate} seconds; try step=0.01")
        require(self.seconds > 0, f"seconds {self.seconds} must be more than 0; try seconds=0.975")
        require(self.std > 0, f"std {self.std} must be more than 0; try std=5")

    @property
    def samples(self) -> int:
        """How many samples an item has."""
        return round(self.seconds * self.rate)

    @property
    def tokens(self) -> int:
        """How many tokens an item has."""
        return self.bands * self.times


@dataclass(kw_only=True)
class MotionConfig:
    """How frames that follow each other closely become items: a token a frame, an item a stretch of them."""

    every: float = 0.08
    """Seconds from one frame to the next."""
    frames: int = 24
    """Frames of an item."""
    cell: int = 20
    """Numbers that each cell of the image trunk's map is brought down to."""
    inner: int = 128
    """Width of the layers over time."""
    layers: int = 2
    """How many there are."""
    dropout: float = 0.2
    """Dropout on what each adds."""

    def __post_init__(self) -> None:
        require(self.every > 0, f"every {self.every} must be more than 0; try every=0.08")
        for name in ("frames", "cell", "inner", "layers"):
            require(getattr(self, name) >= 1, f"{name} {getattr(self, name)} must be at least 1")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.2")

    @property
    def seconds(self) -> float:
        """Length of an item."""
        return self.every * self.frames


@dataclass(kw_only=True)
class TextConfig:
    """How sentences become items: layers that read both ways, over the decoder's own embeddings."""

    layers: int = 2
    """How many there are."""
    heads: int = 8
    """Attention heads of each."""
    dropout: float = 0.0
    """Dropout on what each adds."""
    rerank: float = 0.0
    """Weight of the cosine between a sentence's key and the memory's, beside its mean log-probability, when the best of
    the beams is chosen; 0 takes the likeliest."""

    def __post_init__(self) -> None:
        require(self.rerank >= 0, f"rerank {self.rerank} must be at least 0; try rerank=2")
        require(self.layers >= 1, f"layers {self.layers} must be at least 1; try layers=2")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.1")


@dataclass(kw_only=True)
class MemoryConfig:
    """Size of the bounded bank."""

    slots: int = 64
    """How many slots the bank holds, the ring included."""
    ring: int = 8
    """How many of the newest items stay as they are."""

    def __post_init__(self) -> None:
        require(
            1 <= self.ring < self.slots,
            f"ring {self.ring} must be at least 1 and less than slots {self.slots}; try ring=8",
        )


@dataclass(kw_only=True)
class FusionConfig:
    """Messages between slots and attention between modalities."""

    heads: int = 8
    """Attention heads of the graph, the cross-attention and the readout."""
    graph_layers: int = 1
    """Rounds of message passing between slots, at most 2."""
    order: bool = False
    """Whether each slot's tokens are told its kind, its place in line and how long ago it was: which came first."""
    cross_attention: bool = True
    """Whether the tokens of each modality read those of the others."""
    relations: bool = False
    """Whether it learns to read edges that knowledge from outside gives; else facts are read without them."""
    entity_width: int = 0
    """Numbers in the vector of an entity that joins the tokens of what names it; 0 where none does."""

    def __post_init__(self) -> None:
        require(0 <= self.graph_layers <= 2, f"graph_layers {self.graph_layers} must be 0, 1 or 2; try graph_layers=1")
        require(self.entity_width >= 0, f"entity_width {self.entity_width} must be at least 0; try entity_width=200")


@dataclass(kw_only=True)
class DecoderConfig:
    """The language model that writes, causal or an encoder-decoder, and where it reads the memory."""

    model: dict[str, Any] = field(default_factory=lambda: {"model_type": "llama"})
    """The language model's own transformers config, with its model_type."""
    layers: tuple[int, ...] | None = None
    """Which layers read the memory; None is all of them."""
    heads: int = 8
    """Attention heads of the gated cross-attention."""
    gate: float = 0.0
    """Initial gate, before tanh: 0 around a pretrained model, open (say 1) for one trained from scratch."""
    reads: str = "before"
    """Whether a layer reads the memory "before" it works, or "after", when even the first knows the words' context."""
    output_std: float | None = None
    """Deviation that the weights begin with through which the memory is added; None is the language model's own rule.
    Behind an open gate that is loud: beside it the words' embeddings, which begin small, are not heard."""
    dropout: float = 0.0
    """Dropout on what the memory adds."""

    def __post_init__(self) -> None:
        require(self.reads in READS, f"reads {self.reads!r} is unknown; known: {', '.join(READS)}")
        loud = self.output_std is None or self.output_std > 0
        require(loud, f"output_std {self.output_std} must be above 0, or nothing is learned; close the gate instead")
        require(0 <= self.dropout < 1, f"dropout {self.dropout} must be at least 0 and below 1; try dropout=0.1")
        kind = self.model.get("model_type")
        require(kind in CONFIG_MAPPING, f"decoder model_type {kind!r} is not one that transformers knows; try 'llama'")
        if self.layers is not None:
            self.layers = tuple(self.layers)

    def language_model(self) -> PreTrainedConfig:
        """The transformers config of the language model."""
        return CONFIG_MAPPING[self.model["model_type"]].from_dict(
            {k: v for k, v in self.model.items() if k != "model_type"}
        )


SIGNALS = (
    "mean_logprob",
    "sum_logprob",
    "least_logprob",
    "length",
    "entropy",
    "evidence",
    "mean_evidence",
    "similarity",
)
"""What a caption's confidence can be made of; `mm_memgpt.models.confidence` says what each is."""


@dataclass(kw_only=True)
class ConfidenceConfig:
    """How sure a caption is: the probability sigmoid(bias + weights · signals) that it is a good one, as
    `mm-memgpt calibrate` fits it."""

    signals: tuple[str, ...]
    """Names among SIGNALS, none twice."""
    weights: tuple[float, ...]
    """One a signal."""
    bias: float
    """What is added to their weighted sum."""

    def __post_init__(self) -> None:
        self.signals, self.weights = tuple(self.signals), tuple(self.weights)
        if unknown := [name for name in self.signals if name not in SIGNALS]:
            raise ValueError(f"confidence signal {unknown[0]!r} is unknown; known: {', '.join(SIGNALS)}")
        require(
            len(self.signals) == len(self.weights) == len(set(self.signals)),
            f"confidence has {len(self.weights)} weights for {len(set(self.signals))} signals; give one a signal",
        )


@dataclass(kw_only=True)
class AskingConfig:
    """When a memory answers a question, and when it holds too little."""

    nearest: int = 8
    """Photos, and sounds, nearest to each thing that a question names, of which one must show it."""
    covered: float = 0.8
    """Share of a question's content words that a sentence must have to be its answer."""
    near_equal: float = 0.15
    """How much worse than the best a sentence may fit to be as good an answer; of such the newest is quoted."""
    least: float = 0.35
    """Confidence below which an answer of the model's own words is not given."""

    def __post_init__(self) -> None:
        require(0 <= self.least < 1, f"least {self.least} must be at least 0 and below 1; try least=0.35")
        require(self.nearest >= 1, f"nearest {self.nearest} must be at least 1; try nearest=8")
        require(0 < self.covered <= 1, f"covered {self.covered} must be above 0 and at most 1; try covered=0.8")
        require(self.near_equal >= 0, f"near_equal {self.near_equal} must be at least 0; try near_equal=0.15")


@dataclass(kw_only=True)
class SearchConfig:
    """What is taken off the cosine of a query in words with the keys of each modality, before they are ranked together:
    keys of sentences lie nearer to any words than keys of photos do, whatever they show."""

    image: float = 0.0
    """Of a photo or frame."""
    audio: float = 0.0
    """Of a piece of sound."""
    text: float = 0.0
    """Of a sentence."""

    def __post_init__(self) -> None:
        for name in ("image", "audio", "text"):
            value = getattr(self, name)
            require(-1 <= value <= 1, f"search.{name} {value} must lie in -1..1, as cosines do; try {name}=0")


TRANSFORMERS_KEYS = {
    "transformers_version",
    "name_or_path",
    "attn_implementation",
    "output_attentions",
    "model_type",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "decoder_start_token_id",
    "tie_word_embeddings",
    "use_cache",
    "torch_dtype",
}
"""Keys of a config.json that transformers itself reads or writes, beside the fields of its base class."""

PARTS = {
    "image": ImageConfig,
    "audio": AudioConfig,
    "motion": MotionConfig,
    "text": TextConfig,
    "memory": MemoryConfig,
    "fusion": FusionConfig,
    "decoder": DecoderConfig,
    "confidence": ConfidenceConfig,
    "asking": AskingConfig,
    "search": SearchConfig,
}


class MMMemGPTConfig(PreTrainedConfig):
    """The whole model: the width and key width everything shares, and one dataclass a part.

    Parts may be given as dataclasses or as dicts (as config.json holds them). Without `text` the model reads no
    sentences into its memory and cannot search by words; without `audio` it hears nothing; without `motion` it cannot
    look closely at what moves; without `confidence` it has not been calibrated. `summary` is what asks it for a
    sentence about all that a memory holds; None where it was not taught any such question.

    Raises:
        ValueError: a key that neither this model nor transformers knows, or sizes that do not fit together.
    """

    model_type = "mm_memgpt"

    def __init__(
        self,
        width: int = 256,
        key_width: int = 128,
        image: ImageConfig | dict[str, Any] | None = None,
        text: TextConfig | dict[str, Any] | None = None,
        memory: MemoryConfig | dict[str, Any] | None = None,
        fusion: FusionConfig | dict[str, Any] | None = None,
        decoder: DecoderConfig | dict[str, Any] | None = None,
        confidence: ConfidenceConfig | dict[str, Any] | None = None,
        audio: AudioConfig | dict[str, Any] | None = None,
        motion: MotionConfig | dict[str, Any] | None = None,
        asking: AskingConfig | dict[str, Any] | None = None,
        search: SearchConfig | dict[str, Any] | None = None,
        summary: str | None = None,
        **kwargs: Any,
    ) -> None:
        known = {f.name for f in fields(PreTrainedConfig)} | TRANSFORMERS_KEYS
        if unknown := sorted(key for key in kwargs if key not in known and not key.startswith("_")):
            own = ("width", "key_width", "summary", *PARTS)
            raise ValueError(f"unknown key {unknown[0]!r} in the model's config; its own keys: {', '.join(own)}")
        self.width = width
        self.key_width = key_width
        self.summary = summary
        always = {"image": image, "memory": memory, "fusion": fusion, "decoder": decoder}
        always |= {"asking": asking, "search": search}
        for name, given in always.items():
            values = {} if given is None else given
            setattr(self, name, given if is_dataclass(given) else build(PARTS[name], values, name))
        for name, given in {"audio": audio, "motion": motion, "text": text, "confidence": confidence}.items():
            setattr(self, name, build(PARTS[name], given, name) if isinstance(given, dict) else given)
        language_model = self.decoder.language_model()
        for part, heads, size in (
            ("image", self.image.heads, width),
            ("audio", 1 if self.audio is None else self.audio.heads, width),
            ("text", 1 if self.text is None else self.text.heads, width),
            ("fusion", self.fusion.heads, width),
            ("decoder", self.decoder.heads, language_model.hidden_size),
        ):
            require(
                heads >= 1 and size % heads == 0,
                f"{part}.heads {heads} does not divide width {size}; try heads={gcd(size, heads)}",
            )
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            kwargs.setdefault(name, getattr(language_model, name, None))
        kwargs["is_encoder_decoder"] = language_model.is_encoder_decoder
        if (start := getattr(language_model, "decoder_start_token_id", None)) is not None:
            kwargs.setdefault("decoder_start_token_id", start)
        kwargs.setdefault("tie_word_embeddings", language_model.tie_word_embeddings)
        super().__init__(**kwargs)

    @property
    def tokens_per_item(self) -> int:
        """p, the tokens of one item: what photos, sounds or stretches of frames have, whichever have most; the others
        are filled up."""
        heard = 0 if self.audio is None else self.audio.tokens
        return max(self.image.grid**2, heard, 0 if self.motion is None else self.motion.frames)

    @property
    def vocab_size(self) -> int:
        """Rows of the decoder's embedding."""
        return self.decoder.language_model().vocab_size

    def get_text_config(self, *args: Any, **kwargs: Any) -> PreTrainedConfig:
        """The language model's config: what generation asks for cache sizes and first tokens."""
        return self.decoder.language_model().get_text_config(*args, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it: parts as plain dicts."""
        values = super().to_dict()
        parts = {name: getattr(self, name) for name in PARTS}
        return values | {name: None if part is None else asdict(part) for name, part in parts.items()}


AutoConfig.register(MMMemGPTConfig.model_type, MMMemGPTConfig)
