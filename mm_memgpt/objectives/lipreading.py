"""Lipreading: of each frame, the word that is spoken then; the head that tells it is left behind.

b stretches   f frames of a stretch   c h w a frame's map   w words
"""

from torch import Tensor, nn

from mm_memgpt.encoders.motion import MotionEncoder
from mm_memgpt.objectives.hearing import label_loss, share_right


class FrameWords(nn.Module):
    """What sees motion, with the head that tells words from it.

    Args:
        encoder: its tokens, one a frame, are what words are told from.
        width: of these tokens.
        words: w, how many words there are; one more stands for silence.
    """

    def __init__(self, encoder: MotionEncoder, width: int, words: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.word_head = nn.Linear(width, words + 1)

    def forward(self, maps: Tensor, mask: Tensor, words: Tensor) -> dict[str, Tensor]:
        """The loss, and the share of frames whose word is told rightly.

        Args:
            maps: (b, f, c, h, w) of the image trunk.
            mask: (b, f) True where a frame is real.
            words: (b, f) int64, SILENCE where nothing is said, NO_LABEL where a frame is not real.
        """
        logits = self.word_head(self.encoder.along(maps.float(), mask)).float()
        return {"loss": label_loss(logits, words), "words_right": share_right(logits, words)}


class Lipreading:
    """The loss of FrameWords on a batch, and the share of right words."""

    def __call__(self, model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return model(**batch)
