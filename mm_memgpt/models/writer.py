"""Writing: a fused memory to sentences, each with its words' log-probabilities and how sure the model is of it.

Notable: a word's log-probability comes from one teacher-forced pass over the finished sentence, because a beam's scores
are not the model's own probabilities; what was written greedily needs no such pass. Where the model has keys, they help
to choose among the beams.

b memories   t tokens of the longest sentence, the first included   k key width   v vocabulary
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mm_memgpt.config import ConfidenceConfig
from mm_memgpt.fusion.fuser import Fused
from mm_memgpt.models.confidence import SIGNAL, Judged, probability, read_back
from mm_memgpt.models.mm_memgpt import MMMemGPTForConditionalGeneration
from mm_memgpt.types import Caption, InputError, Word
from mm_memgpt.words import owners


class Writer:
    """A model and its tokenizer, as what writes about a memory."""

    def __init__(self, model: MMMemGPTForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> None:
        self.model, self.tokenizer = model, tokenizer

    @torch.inference_mode()
    def write(
        self,
        fused: Fused,
        prompt: str,
        beams: int,
        wanted: Sequence[str] | None = None,
        answer: bool = False,
        **options: Any,
    ) -> list[Judged]:
        """A sentence a memory, with its confidence and its signals.

        Args:
            fused: the b memories.
            prompt: a beginning, which each sentence continues.
            beams: sentences considered at a time; 1 is greedy.
            wanted: signals, among which are those of a calibrated confidence; just these where None.
            answer: whether the prompt is a question: what is given is the answer alone, keys do not help to choose it,
                and its confidence is the mean probability of a token, for no calibration was made for answers.
            options: any other argument of transformers' generate.

        Raises:
            InputError: `beams` below 1, or a prompt that leaves no room for a word.
        """
        calibrated = None if answer else self.model.config.confidence
        if wanted is None:
            wanted = () if calibrated is None else calibrated.signals
        if beams < 1:
            raise InputError(f"beams {beams} must be at least 1; try beams=4")
        memory, mask = self.model.readable(fused)
        begun = self._begin(prompt).expand(len(memory), -1)
        text = {"decoder_input_ids" if self.model.writes_from_a_source else "input_ids": begun}
        how = {"memory": memory, "memory_mask": mask, "num_beams": beams, "do_sample": False, **text, **options}
        sequences, logits = self._generate(None if answer else fused.key, beams, how)  # (b, t), (b, t - 1, v)
        given, end = begun.shape[1] - 1, self.tokenizer.eos_token_id
        chosen, written = read_back(self.model, sequences, memory, mask, given, end, wanted, logits)  # (b, t - 1)
        if "similarity" in wanted:
            written = written._replace(similarity=self._similarity(sequences, fused.key))
        signals = {name: SIGNAL[name](written).tolist() for name in wanted}
        return [
            judged(
                self._sentence(tokens, logprobs, given, given if answer else 0),
                {name: values[row] for name, values in signals.items()},
                calibrated,
            )
            for row, (tokens, logprobs) in enumerate(zip(sequences[:, 1:].tolist(), chosen.tolist(), strict=True))
        ]

    def _generate(self, key: Tensor | None, beams: int, how: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """The tokens of each memory's best sentence (b, t), by its score and by its key's cosine with `key` (b, k).

        Beside them the logits (b, t - 1, v) that they were chosen from, where every one of them was chosen greedily.
        """
        settings = self.model.config.text
        plain = not how["do_sample"] and "num_return_sequences" not in how
        begun = how.get("input_ids", how.get("decoder_input_ids"))
        if beams == 1 and plain and begun.shape[1] == 1:  # a prompt's words were not chosen
            found = self.model.generate(**how, return_dict_in_generate=True, output_logits=True)
            return found.sequences, torch.stack(found.logits, dim=1)
        if settings is None or settings.rerank == 0 or key is None or beams == 1 or not plain:
            return self.model.generate(**how), None
        every = {"num_return_sequences": beams, "return_dict_in_generate": True, "output_scores": True}
        found = self.model.generate(**how, **every)
        cosine = self._similarity(found.sequences, key.repeat_interleave(beams, 0))
        best = (found.sequences_scores + settings.rerank * cosine).view(-1, beams).argmax(1)  # (b)
        return found.sequences.view(len(best), beams, -1)[torch.arange(len(best), device=best.device), best], None

    def _similarity(self, sequences: Tensor, key: Tensor | None) -> Tensor:
        """Cosine of each sentence's key and its memory's (b,); 0 where either has none."""
        if key is None or self.model.text_encoder is None:
            return torch.zeros(len(sequences), device=sequences.device)
        keys = self.model.read_text(sequences, sequences != self.tokenizer.pad_token_id).key.squeeze(1)
        return (keys * key.to(keys.dtype)).sum(-1)

    def _begin(self, prompt: str) -> Tensor:
        """The prompt's tokens (1, t), behind the one that every text begins with."""
        begin = self.model.begin(1)
        tokens = self.tokenizer(prompt, add_special_tokens=False)["input_ids"] if prompt else []
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if room is not None and len(tokens) + 2 > room:
            raise InputError(
                f"prompt of {len(tokens)} tokens is too long for the {room} the model can hold; shorten it"
            )
        return torch.cat([begin, torch.tensor([tokens], dtype=begin.dtype, device=begin.device)], dim=1)

    def _sentence(self, tokens: list[int], logprobs: list[float], given: int, first: int) -> Caption:
        """The sentence of the tokens behind bos, from the `first` on; the first `given` are the prompt's."""
        end = self.tokenizer.eos_token_id
        length = tokens.index(end, given) if end in tokens[given:] else len(tokens)
        words = scored(self.tokenizer, tokens[first:length], logprobs[first:length])
        decided = logprobs[given : length + 1]  # the end of the sentence is a decision too
        return Caption(
            text=" ".join(word.word for word in words),
            confidence=math.exp(sum(decided) / max(1, len(decided))),
            words=tuple(words),
        )


def judged(caption: Caption, signals: dict[str, float], calibrated: ConfidenceConfig | None) -> Judged:
    """The caption as sure as its signals make it, where that is calibrated."""
    sure = caption.confidence if calibrated is None else probability(calibrated, signals)
    return Judged(replace(caption, confidence=sure), signals)


def scored(tokenizer: Any, tokens: list[int], logprobs: list[float]) -> list[Word]:
    """The whitespace-separated words of the sentence, each with the sum over the tokens that `owners` gives it."""
    words, owner = owners(tokenizer, tokens)
    sums = [0.0] * len(words)
    for place, logprob in zip(owner, logprobs, strict=True):
        if words:
            sums[place] += logprob
    return [Word(*pair) for pair in zip(words, sums, strict=True)]
