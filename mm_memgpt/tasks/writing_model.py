"""A model that writes texts: one of transformers', or one of ours with a bounded memory, and the folder that holds it.

Notable: a causal model reads the prompt before it writes, an encoder-decoder beside it, and both read the memory where
they have one; whatever stands in a prompt's memory is written into the bank a few sentences at a time, so a memory of
any length costs the same for each.

b prompts   n sentences   t tokens of the longest   m memory tokens   v vocabulary
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria, TextIteratorStreamer

from mm_memgpt.backbones.layers import stacks
from mm_memgpt.models.device import choose_device
from mm_memgpt.models.language_writer import read_language_writer
from mm_memgpt.models.loading import find
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.models.processor import MMMemGPTProcessor
from mm_memgpt.models.quiet import quiet
from mm_memgpt.models.writer import scored
from mm_memgpt.tasks.decoding import Decoding
from mm_memgpt.tasks.folder import is_task_folder, read_said, write_said
from mm_memgpt.tasks.known import TASKS
from mm_memgpt.tasks.prompt import Composed, Prompt
from mm_memgpt.tasks.writing import WritingTask
from mm_memgpt.tasks.writing_tokens import IGNORED, WritingProcessor
from mm_memgpt.types import InputError, MemoryState, Word

LONGEST = 256
"""Tokens of a prompt, and of what is learned to be written, unless told otherwise."""

AT_A_TIME = 64
"""Sentences written into the memory in one go."""


class WritingModel(nn.Module):
    """A language model, its tokenizer, and the task it was trained for.

    Args:
        model: a causal model or an encoder-decoder, of transformers or of ours.
        tokenizer: the model's own; of a model of ours, its processor.
        task: a `WritingTask`; None of a model that was trained for none.
        longest: tokens of a prompt, and of what is learned to be written, at most.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | MMMemGPTProcessor,
        task: WritingTask | None = None,
        longest: int = LONGEST,
    ) -> None:
        super().__init__()
        self.model, self.kept, self.task = model, tokenizer, task
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        self.remembers = isinstance(model, MMMemGPTForConditionalGeneration) and model.text_encoder is not None
        self.encodes = model.config.is_encoder_decoder
        self.room = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.processor = WritingProcessor(
            self.tokenizer,
            self.encodes,
            longest if self.room is None else min(longest, self.room),
            self._begin(),
            model.config.tokens_per_item if self.remembers else 1,
            self.room,
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def layers(self) -> list[nn.ModuleList]:
        """The stacks of layers that texts pass through, the one that writes last."""
        own = isinstance(self.model, MMMemGPTForConditionalGeneration)
        return [*stacks(self.model.decoder if own else self.model).values()]

    @property
    def looking(self) -> list[PreTrainedModel]:
        """Models whose attention maps can be had, one a stack, if there are any."""
        if isinstance(self.model, MMMemGPTForConditionalGeneration):
            return []
        return [self.model.get_encoder(), self.model.get_decoder()] if self.encodes else [self.model.base_model]

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Logits (b, t, v) of each next token of a batch, as the processor made it with texts to be written."""
        how = self._memory_of(batch)
        if self.encodes:
            return self.model(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                decoder_input_ids=batch["decoder_input_ids"],
                use_cache=False,
                **how,
            ).logits
        return self.model(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False, **how
        ).logits

    @torch.inference_mode()
    def write(self, prompts: Sequence[Prompt], how: Decoding, words: bool = False) -> list[Composed]:
        """A text of each prompt.

        Args:
            prompts: what is written from.
            how: choices of the writing.
            words: whether to say how likely each word was, which takes a second pass.

        Raises:
            InputError: a prompt that leaves no room for a word, or a memory for a model that has none.
        """
        batch, how = self._prepared(prompts, how)
        with ExitStack() as stack:
            if how.seed is not None:
                stack.enter_context(torch.random.fork_rng())
                torch.manual_seed(how.seed)
            with quiet():
                sequences = self.model.generate(**self._given(batch), **how.arguments())
        given = batch["decoder_input_ids" if self.encodes else "input_ids"].shape[1]
        written = [self._cut(row[given:].tolist()) for row in sequences]
        texts = [self.tokenizer.decode(tokens, skip_special_tokens=True).strip() for tokens, _ in written]
        likely = self.score(prompts, texts) if words else [None] * len(texts)
        return [
            Composed(
                text,
                ended,
                () if logprobs is None else self._words(text, prompt, logprobs),
                self.processor.left_out(prompt),
            )
            for text, (_, ended), logprobs, prompt in zip(texts, written, likely, prompts, strict=True)
        ]

    def stream(self, prompt: Prompt, how: Decoding, stopped: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Pieces of a text as they are written; with several beams, the whole text at its end.

        Args:
            prompt: what is written from.
            how: choices of the writing.
            stopped: is asked at each word whether to write no more.

        Raises:
            InputError: as `write`, before the first piece.
        """
        batch, how = self._prepared([prompt], how)
        if how.beams > 1:
            return iter([self.write([prompt], how)[0].text])
        return self._streamed(batch, how, stopped)

    @torch.inference_mode()
    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[Tensor]:
        """The log-probability of each token of texts and, last, of their end, as if each were being written.

        Raises:
            InputError: as `write`.
        """
        self.check(prompts, texts)
        batch = self.placed(self.processor(prompts, texts, cut=False))
        logits = self(batch)
        labels = batch["labels"]
        found = torch.log_softmax(logits.float(), -1).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
        return [row[real].cpu() for row, real in zip(found, labels != IGNORED, strict=True)]

    def placed(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A batch on the model's device."""
        return {name: value.to(self.device) for name, value in batch.items()}

    def save(self, folder: str | PathLike) -> None:
        """Writes the whole model into a folder, from which `read_writer` reads it."""
        folder = Path(folder)
        (folder / "backbone").mkdir(parents=True, exist_ok=True)
        with quiet():
            self.model.save_pretrained(folder / "backbone")
            self.kept.save_pretrained(folder / "backbone")
        write_said(folder, {"task": self.task.name, **self.task.saved(), "longest": self.processor.longest})

    def remember(self, ids: Tensor, mask: Tensor, source: Tensor) -> MemoryState:
        """Items (b, n, t) of token numbers, and which are real, written into a memory; source (b, n) is the number of
        each one's sentence, which is its second too."""
        state, time = None, torch.stack([source, source], -1).double()
        for some in torch.arange(ids.shape[1]).split(AT_A_TIME):
            features = self.model.read_text(ids[:, some], mask[:, some], source[:, some], time[:, some])
            state = self.model.write(features, state)
        return state

    def check(self, prompts: Sequence[Prompt], texts: Sequence[str] | None = None) -> None:
        """Raises InputError where the model has no memory for what is to be remembered, or no room for a prompt, or for
        a prompt with the text behind it."""
        if not self.remembers and any(prompt.memory for prompt in prompts):
            raise InputError(f"{type(self.model).__name__} has no memory for sentences; take nano or a folder of ours")
        for place, prompt in enumerate(prompts if self.room is not None else ()):
            tokens = self.processor.length(prompt)
            if tokens + 1 > self.room:
                raise InputError(
                    f"prompt of {tokens} tokens is too long for the {self.room} the model can hold; shorten it"
                )
            whole = tokens if texts is None else tokens + len(self.processor.written(texts[place], prompt)) - 1
            if whole > self.room:  # the last token is foreseen, and not read
                raise InputError(f"text of {whole} tokens is too long for the {self.room} the model can hold; part it")

    def _memory_of(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if "memory_ids" not in batch:
            return {}
        state = self.remember(batch["memory_ids"], batch["memory_mask"], batch["memory_source"])
        memory, mask = self.model.read(state)
        return {"memory": memory, "memory_mask": mask}

    def _prepared(self, prompts: Sequence[Prompt], how: Decoding) -> tuple[dict[str, Tensor], Decoding]:
        """The batch, and the choices as far as the context has room: a text is cut where that is full."""
        self.check(prompts)
        if self.room is not None:
            most = min(how.longest, self.room - max(map(self.processor.length, prompts)))
            how = replace(how, longest=most, shortest=min(how.shortest, most))
        return self.placed(self.processor(prompts)), how

    def _given(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A batch as `generate` takes it."""
        given = {name: value for name, value in batch.items() if not name.startswith("memory_")}
        return given | self._memory_of(batch)

    def _streamed(self, batch: Mapping[str, Tensor], how: Decoding, stopped: Callable[[], bool]) -> Iterator[str]:
        streamer = TextIteratorStreamer(self.tokenizer, skip_prompt=not self.encodes, skip_special_tokens=True)
        failed: list[BaseException] = []
        left = Event()

        def write() -> None:
            try:
                with torch.inference_mode(), quiet():
                    if how.seed is not None:
                        torch.manual_seed(how.seed)
                    stop = _Stop(lambda: left.is_set() or stopped())
                    self.model.generate(
                        **self._given(batch), **how.arguments(), streamer=streamer, stopping_criteria=[stop]
                    )
            except BaseException as error:  # it is the reader's, not this thread's
                failed.append(error)
                streamer.end()

        thread = Thread(target=write, daemon=True)
        thread.start()
        try:
            yield from (piece for piece in streamer if piece)
        finally:  # a reader that goes away ends the writing
            left.set()
            thread.join()
        if failed:
            raise failed[0]

    def _cut(self, tokens: list[int]) -> tuple[list[int], bool]:
        """Tokens up to the end of the text, and whether there is one."""
        end = self.tokenizer.eos_token_id
        return (tokens[: tokens.index(end)], True) if end in tokens else (tokens, False)

    def _words(self, text: str, prompt: Prompt, logprobs: Tensor) -> tuple[Word, ...]:
        tokens = self.processor.written(text, prompt._replace(ends=False))
        return tuple(scored(self.tokenizer, tokens, logprobs[: len(tokens)].tolist()))

    def _begin(self) -> int:
        """The token that a written text begins with."""
        config = self.model.generation_config
        if isinstance(self.model, MMMemGPTForConditionalGeneration):
            return int(self.model.begin(1))
        names = ("decoder_start_token_id", "bos_token_id") if self.encodes else ("bos_token_id", "eos_token_id")
        for name in names:
            if (token := getattr(config, name)) is not None:
                return token[0] if isinstance(token, list) else token
        raise InputError(f"{type(self.model).__name__} says not how a text begins; set {names[0]} in its config")


class _Stop(StoppingCriteria):
    """Stops where it is told to."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self.stopped = stopped

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        return torch.full((len(input_ids),), self.stopped(), device=input_ids.device)


def read_writer(place: str | PathLike, device: str | None = None) -> WritingModel:
    """A model that writes, in evaluation mode.

    Args:
        place: nano, a folder of ours, the folder that finetune wrote, or the folder or hub name of a language model of
            transformers, causal or encoder-decoder.
        device: "cpu", "cuda", ...; None takes a GPU where there is one.

    Raises:
        InputError: no such model or device, or it writes no text.
    """
    chosen = choose_device(device)
    folder = find(str(place))
    model = read_written(folder) if is_task_folder(folder) else WritingModel(*read_language_writer(folder))
    return model.eval().to(chosen)


def read_written(folder: Path) -> WritingModel:
    """The model that `WritingModel.save` wrote, on the CPU.

    Raises:
        InputError: it is of a task that writes nothing, or is not whole.
    """
    said = read_said(folder)
    try:
        kind = TASKS[said["task"]]
        if not issubclass(kind, WritingTask):
            raise InputError(f"{folder}: holds a model of {kind.name}, which writes nothing; give one that does")
        task, longest = kind(said["columns"], said["labels"], said["options"]), said["longest"]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: task.json: {error}; give a folder that finetune wrote") from None
    return WritingModel(*read_language_writer(folder / "backbone"), task, longest).eval()
