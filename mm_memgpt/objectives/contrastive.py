"""Contrastive: a photo's key and its sentences' keys point the same way, and away from those of the rest of the batch.

b photos   c sentences a photo   k key width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

HIGHEST_SCALE = 100.0
"""Cosines are multiplied by at most that much (arXiv:2103.00020 §2.5)."""


def contrastive_loss(photos: Tensor, sentences: Tensor, scale: Tensor | float) -> Tensor:
    """InfoNCE in both directions (arXiv:2103.00020 §2.3), for photos that have several sentences each.

    A sentence picks its photo among b; a photo picks each of its sentences among that one and all of the other photos',
    so its own sentences never push each other away: L = -1/2 [mean log softmax_photos + mean log softmax_sentences].

    Args:
        photos: (b, k) unit length.
        sentences: (b * c, k) unit length, the c of a photo one after the other.
        scale: what cosines are multiplied by.

    Raises:
        ValueError: the sentences are not the same number for each photo.
    """
    b, rows = len(photos), len(sentences)
    if rows % b != 0:
        raise ValueError(f"{rows} sentences cannot belong to {b} photos evenly")
    owner = torch.arange(b, device=photos.device).repeat_interleave(rows // b)  # (b * c)
    logits = scale * (photos.float() @ sentences.float().T)  # (b, b * c)
    to_photo = functional.cross_entropy(logits.T, owner)
    own = owner == torch.arange(b, device=photos.device).unsqueeze(1)  # (b, b * c)
    others = logits.masked_fill(own, -torch.inf).logsumexp(1, keepdim=True)
    to_sentence = (torch.logaddexp(logits, others) - logits)[own].mean()
    return (to_photo + to_sentence) / 2


class Contrastive:
    """The loss of a model on a batch of photos with their sentences, and how often a sentence finds its photo in it."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        photos = model.image_encoder(batch["pixel_values"]).key.squeeze(1)
        sentences = model.read_text(batch["input_ids"], batch["attention_mask"]).key.squeeze(1)
        scale = model.text_encoder.scale.exp().clamp_max(HIGHEST_SCALE)
        found = (sentences @ photos.T).argmax(1) * (len(sentences) // len(photos))
        place = torch.arange(len(sentences), device=found.device)
        hits = (place >= found) & (place < found + len(sentences) // len(photos))
        return {"loss": contrastive_loss(photos, sentences, scale), "found": hits.float().mean()}
