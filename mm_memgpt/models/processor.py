"""The processor: photos to pixels and text to tokens, in transformers' conventions.

Notable: a photo is squeezed to the trunk's square, as in training, with the trunk's own mean and deviation.
"""

from pathlib import Path

from transformers import PreTrainedTokenizerFast, ProcessorMixin, ViTImageProcessor

from mm_memgpt.config import MMMemGPTConfig
from mm_memgpt.encoders.image import pixel_statistics


class MMMemGPTProcessor(ProcessorMixin):
    """`processor(images=..., text=...)` returns pixel_values (b, 3, h, w), input_ids and attention_mask (b, t)."""

    def __init__(
        self, image_processor: ViTImageProcessor | None = None, tokenizer: PreTrainedTokenizerFast | None = None
    ):
        super().__init__(image_processor, tokenizer)

    @classmethod
    def build(cls, config: MMMemGPTConfig, tokenizer: PreTrainedTokenizerFast | str | Path) -> "MMMemGPTProcessor":
        """The processor that fits a model's config, with a tokenizer or the folder of one.

        Raises:
            ValueError: the tokenizer has more tokens than the model has embeddings.
        """
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer)
        if len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"tokenizer has {len(tokenizer)} tokens, the model {config.vocab_size}; set vocab_size to fit"
            )
        size, mean, std = pixel_statistics(config.image)
        resize = {"size": {"height": size, "width": size}, "resample": 3}  # 3 is bicubic
        return cls(ViTImageProcessor(image_mean=list(mean), image_std=list(std), **resize), tokenizer)
