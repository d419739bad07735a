"""Prompts to tensors, with the texts that are to be written from them or without.

Notable: without texts, causal prompts are padded on the left, so that all of them end where writing begins; with texts
all padding is on the right. It holds no weights, so that it reaches a loader's worker processes.

b prompts   n sentences   t tokens of the longest
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mm_memgpt.tasks.prompt import Prompt

IGNORED = -100
"""A label that no loss counts."""


class WritingProcessor:
    """Makes batches for `WritingModel`.

    Args:
        tokenizer: the model's own.
        encodes: whether the model is an encoder-decoder.
        longest: tokens of a prompt's text, and of a text to be written, at most; more are cut.
        begin: the token that a written text begins with.
        item: tokens that an item of the memory holds; a longer sentence becomes several items.
        room: tokens that the model holds, of what is given and what is written together; None holds any number.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        encodes: bool,
        longest: int,
        begin: int,
        item: int = 1,
        room: int | None = None,
    ) -> None:
        self.tokenizer, self.encodes, self.longest = tokenizer, encodes, longest
        self.begin, self.item, self.room = begin, item, room
        self.padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def __call__(
        self, prompts: Sequence[Prompt], texts: Sequence[str] | None = None, cut: bool = True
    ) -> dict[str, Tensor]:
        """A batch: input_ids and attention_mask (b, t), of an encoder-decoder decoder_input_ids (b, t) as well.

        With texts also labels (b, t): at each place the next token, IGNORED where it is not to be learned. With `cut`,
        a text that is longer than `longest` has no end, and of what comes before it the last `longest` tokens are
        kept, or as many as the model has room for. With memories memory_ids and memory_mask (b, n, t), n items without
        a real token where one has fewer, and memory_source (b, n) the number of each item's sentence.
        """
        begun = [self._begun(prompt) for prompt in prompts]
        written = None
        if texts is not None:
            written = [self.written(text, prompt) for text, prompt in zip(texts, prompts, strict=True)]
            if cut:
                begun, written = zip(*map(self._cut, begun, written), strict=True)
        if self.encodes:
            batch = self._beside([self._source(prompt.text) for prompt in prompts], begun, written)
        else:
            batch = self._after(begun, written)
        return batch | self._memories([prompt.memory for prompt in prompts])

    def length(self, prompt: Prompt) -> int:
        """Tokens ahead of what is written."""
        return len(self._begun(prompt))

    def read(self, text: str) -> int:
        """Tokens of a text as an encoder reads it, before any are cut."""
        return len(self.tokenizer(text)["input_ids"])

    def left_out(self, prompt: Prompt) -> int:
        """Tokens of a prompt that are not read: what an encoder reads is cut, any other prompt is read or refused."""
        return max(0, self.read(prompt.text) - self.longest) if self.encodes else 0

    def cuts(self, prompt: Prompt, text: str) -> bool:
        """Whether some tokens of a prompt, or of a text that is learned from it, are left out of a batch."""
        whole = self._begun(prompt), self.written(text, prompt)
        return self.left_out(prompt) > 0 or self._cut(*whole) != whole

    def written(self, text: str, prompt: Prompt) -> list[int]:
        """The tokens of a text that is to be written, with its end if it has one; it is a new word behind what is
        given."""
        ahead = prompt.begin if self.encodes else prompt.text + prompt.begin
        if ahead and not ahead[-1].isspace():
            text = f" {text}"
        tokens = self._tokens(text)
        return [*tokens, self.tokenizer.eos_token_id] if prompt.ends else tokens

    def _cut(self, begun: list[int], written: list[int]) -> tuple[list[int], list[int]]:
        """What is learned of the tokens that are given and of those to be written, whose last one is not read."""
        written = written[: self.longest]
        most = self.longest if self.room is None else min(self.longest, self.room - len(written))
        return [*begun[:1], *begun[max(1, len(begun) - most) :]], written

    def _source(self, text: str) -> list[int]:
        """What an encoder reads: the text, cut, with the tokens that its tokenizer puts around it."""
        return self.tokenizer(text, truncation=True, max_length=self.longest)["input_ids"]

    def _begun(self, prompt: Prompt) -> list[int]:
        ahead = prompt.begin if self.encodes else prompt.text + prompt.begin
        return [self.begin, *self._tokens(ahead)]

    def _tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def _beside(
        self, sources: list[list[int]], begun: Sequence[list[int]], written: Sequence[list[int]] | None
    ) -> dict[str, Tensor]:
        input_ids, attention_mask = self._padded(sources)
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        if written is None:
            decoder_input_ids, real = self._padded(begun, left=True)
            batch["decoder_input_ids"] = decoder_input_ids
            return batch if real.all() else batch | {"decoder_attention_mask": real}
        inputs, labels = _shifted(begun, written)
        return batch | {"decoder_input_ids": self._padded(inputs)[0], "labels": self._padded(labels, IGNORED)[0]}

    def _after(self, begun: Sequence[list[int]], written: Sequence[list[int]] | None) -> dict[str, Tensor]:
        if written is None:
            input_ids, attention_mask = self._padded(begun, left=True)
            return {"input_ids": input_ids, "attention_mask": attention_mask}
        inputs, labels = _shifted(begun, written)
        input_ids, attention_mask = self._padded(inputs)
        return {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "labels": self._padded(labels, IGNORED)[0],
        }

    def _memories(self, memories: list[tuple[str, ...]]) -> dict[str, Tensor]:
        if not any(memories):
            return {}
        items = [self._items(memory) for memory in memories]
        n = max(map(len, items))
        filled = [each + [(0, [])] * (n - len(each)) for each in items]
        ids, mask = self._padded([tokens for each in filled for _, tokens in each])
        return {
            "memory_ids": ids.view(len(memories), n, -1),
            "memory_mask": mask.view(len(memories), n, -1),
            "memory_source": torch.tensor([[source for source, _ in each] for each in filled]),
        }

    def _items(self, memory: tuple[str, ...]) -> list[tuple[int, list[int]]]:
        """Number of its sentence and tokens of each item; a sentence has its ends, as text encoders learn them."""
        return [
            (number, tokens[begin : begin + self.item])
            for number, sentence in enumerate(memory)
            for tokens in [[self.begin, *self._tokens(sentence), self.tokenizer.eos_token_id]]
            for begin in range(0, len(tokens), self.item)
        ]

    def _padded(self, rows: list[list[int]], filler: int | None = None, left: bool = False) -> tuple[Tensor, Tensor]:
        """Rows of one length (b, t), and 1 where they are real."""
        filler, t = self.padding if filler is None else filler, max(1, *map(len, rows))
        values = torch.full((len(rows), t), filler)
        real = torch.zeros(len(rows), t, dtype=torch.long)
        for row, tokens in enumerate(rows):
            place = slice(t - len(tokens), t) if left else slice(0, len(tokens))
            values[row, place] = torch.tensor(tokens, dtype=torch.long)
            real[row, place] = 1
        return values, real


def _shifted(begun: Sequence[list[int]], written: Sequence[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Inputs, and at each of their places the token that follows, of which those before the text are not learned."""
    inputs = [ahead + text[:-1] for ahead, text in zip(begun, written, strict=True)]
    labels = [[IGNORED] * (len(ahead) - 1) + text for ahead, text in zip(begun, written, strict=True)]
    return inputs, labels
