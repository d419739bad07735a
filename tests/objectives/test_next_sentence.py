"""Next-sentence prediction: BERT's head and loss, to the bit of its weights."""

import torch
from transformers import BertConfig, BertForPreTraining

from mm_memgpt.objectives.masked_language import MaskedLanguage
from mm_memgpt.objectives.mixture import Mixture
from mm_memgpt.objectives.next_sentence import NextSentence, NextSentenceHead, next_sentence_loss

PAIRS = {
    "input_ids": torch.tensor([[1, 7, 9, 2, 8, 2], [1, 6, 2, 5, 2, 0], [1, 5, 5, 2, 9, 2]]),  # b t
    "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]),
    "token_type_ids": torch.tensor([[0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]]),
}
IS_NEXT = torch.tensor([True, False, True])
LABELS = torch.tensor([[-100, 3, -100, -100, 4, -100], [-100, 4, -100, -100, -100, -100], [-100] * 6])


def bert() -> BertForPreTraining:
    """transformers' model for both tasks, with its own pooler and answer in our head."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
    model = BertForPreTraining(BertConfig(vocab_size=19, **sizes)).eval()
    model.next_sentence = NextSentenceHead(8)
    model.next_sentence.dense.load_state_dict(model.bert.pooler.dense.state_dict())
    model.next_sentence.answer.load_state_dict(model.cls.seq_relationship.state_dict())
    return model


class Words(MaskedLanguage):
    """Masked language modelling of a model that calls its word logits as BertForPreTraining does."""

    def __call__(self, model, batch):
        def words(**texts):
            output = model(**texts)
            output.logits = output.prediction_logits
            return output

        return super().__call__(words, batch)


def test_it_is_transformers_own_head_and_loss():
    model = bert()
    logits = model(**PAIRS).seq_relationship_logits
    found = NextSentence()(model, PAIRS | {"is_next": IS_NEXT})
    torch.testing.assert_close(found["loss"], torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0])))
    torch.testing.assert_close(found["right"], ((logits[:, 0] > logits[:, 1]) == IS_NEXT).float().mean())


def test_with_masked_language_it_is_the_loss_of_bert_s_pre_training():
    model = bert()
    due = model(**PAIRS, labels=LABELS, next_sentence_label=(~IS_NEXT).long()).loss
    mixture = Mixture({"masked_language": 1, "next_sentence": 1}, {"masked_language": Words()})
    batch = {"masked_language": PAIRS | {"labels": LABELS}, "next_sentence": PAIRS | {"is_next": IS_NEXT}}
    torch.testing.assert_close(mixture(model, batch)["loss"], due)


def test_padding_changes_nothing():
    model = bert()
    longer = {name: torch.cat([value, torch.zeros(3, 2, dtype=torch.long)], 1) for name, value in PAIRS.items()}
    answers = {"is_next": IS_NEXT}
    torch.testing.assert_close(NextSentence()(model, longer | answers), NextSentence()(model, PAIRS | answers))


def test_the_first_answer_means_that_it_follows():
    sure = torch.tensor([[9.0, -9.0], [-9.0, 9.0]])
    assert next_sentence_loss(sure, torch.tensor([True, False])) < 1e-6
    assert next_sentence_loss(sure, torch.tensor([False, True])) > 17
