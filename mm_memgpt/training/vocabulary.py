"""A tokenizer for a language model of one's own: byte-level BPE with what masked models and pairs of texts need.

Notable: it is not the one tokenizer of this project's own models (`mm_memgpt.training.tokenizer`); any text comes back
from it unchanged, because its alphabet is bytes.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from mm_memgpt.types import InputError

SPECIAL = {"cls_token": "<s>", "pad_token": "<pad>", "sep_token": "</s>", "mask_token": "<mask>"}
"""Special tokens by role; the first begins a text and the third ends it, in a masked and in a causal model."""


def train_vocabulary(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most `size` tokens; one text is <s> A </s>, a pair <s> A </s> B </s>.

    Raises:
        InputError: there is no room for the bytes and special tokens.
    """
    least = 256 + len(SPECIAL)
    if size < least:
        raise InputError(f"vocabulary {size} is below the {least} bytes and special tokens; try vocabulary=8192")
    begin, _, end, _ = SPECIAL.values()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **SPECIAL, bos_token=begin, eos_token=end, clean_up_tokenization_spaces=False
    )
