"""The model among transformers' own: importing this module, or any model name of the package, registers it.

    import mm_memgpt.models.auto
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder)

Notable: `import mm_memgpt` alone registers nothing, because it imports neither torch nor transformers; which of the two
classes a folder holds is in its config.json.
"""

from transformers import AutoModelForImageTextToText, AutoModelForSeq2SeqLM, AutoProcessor

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.seq2seq import MMMemGPTForSeq2SeqLM

__all__ = [
    "MMMemGPTConfig",
    "MMMemGPTForConditionalGeneration",
    "MMMemGPTForSeq2SeqLM",
    "MMMemGPTProcessor",
    "model_class",
]


def model_class(config: MMMemGPTConfig) -> type[MMMemGPTForConditionalGeneration]:
    """The class of a config's model: around an encoder-decoder it is another than around a causal model."""
    return MMMemGPTForSeq2SeqLM if config.is_encoder_decoder else MMMemGPTForConditionalGeneration


# a tuple is transformers' own way to keep several classes of one config; the saved `architectures` chooses
AutoModelForImageTextToText.register(MMMemGPTConfig, (MMMemGPTForConditionalGeneration, MMMemGPTForSeq2SeqLM))
AutoModelForSeq2SeqLM.register(MMMemGPTConfig, MMMemGPTForSeq2SeqLM)
AutoProcessor.register(MMMemGPTConfig, MMMemGPTProcessor)
