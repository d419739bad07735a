"""How good captions are: CIDEr, BLEU-1 to 4 and ROUGE-L against what people wrote, and how varied they are.

Notable: the scorers are pycocoevalcap's, fed with this module's own tokens (lower-cased runs of letters, digits and
apostrophes), so no Java is needed, and references and captions are cut alike; a resample keeps CIDEr's word weights,
which come from all the references.

r resamples   n photos   s statistics   m metrics
"""

from dataclasses import dataclass

import numpy as np

from mm_memgpt.evaluation.bootstrap import Score, bootstrap
from mm_memgpt.words import words as tokens

ORDERS = 4
"""BLEU counts runs of one to four tokens."""


@dataclass(frozen=True, kw_only=True)
class CaptionScores:
    """Scores of a set of captions, each with its 95% interval over the photos."""

    cider: Score
    bleu_1: Score
    bleu_2: Score
    bleu_3: Score
    bleu_4: Score
    rouge_l: Score
    photos: int
    """How many captions were scored, one a photo."""
    distinct: int
    """How many different captions there are among them."""
    distinct_share: float
    """`distinct` over `photos`."""
    mean_length: float
    """Tokens a caption."""


def score_captions(
    captions: list[str], references: list[list[str]], resamples: int = 1000, seed: int = 0
) -> CaptionScores:
    """Scores caption i against the sentences `references[i]`.

    CIDEr weighs a run of words by how rare it is among the photos given, so it is 0 for a single photo.

    Raises:
        ValueError: the two lists differ in length, are empty, or a photo has no reference with a word in it.
        ImportError: pycocoevalcap is not installed.
    """
    joined, expected = _cut(captions, references)
    cider, bleu_1, bleu_2, bleu_3, bleu_4, rouge_l = bootstrap(_statistics(joined, expected), _metrics, resamples, seed)
    return CaptionScores(
        cider=cider,
        bleu_1=bleu_1,
        bleu_2=bleu_2,
        bleu_3=bleu_3,
        bleu_4=bleu_4,
        rouge_l=rouge_l,
        photos=len(captions),
        distinct=len(set(joined)),
        distinct_share=len(set(joined)) / len(captions),
        mean_length=sum(len(caption.split()) for caption in joined) / len(captions),
    )


def cider_each(captions: list[str], references: list[list[str]]) -> np.ndarray:
    """(n,) CIDEr of each caption, whose mean is that of `score_captions`: two models' captions of the same photos can
    be compared photo by photo.

    Raises:
        ValueError, ImportError: as `score_captions`.
    """
    joined, expected = _cut(captions, references)
    return _ciders(joined, expected)


def _ciders(captions: list[str], references: list[list[str]]) -> np.ndarray:
    _, cider, _ = scorers()
    return cider().compute_score(dict(enumerate(references)), {i: [caption] for i, caption in enumerate(captions)})[1]


def _cut(captions: list[str], references: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Both as tokens with a space between."""
    if len(captions) != len(references) or not captions:
        raise ValueError(f"{len(captions)} captions and {len(references)} lists of references: give one list a caption")
    expected = [[" ".join(cut) for cut in map(tokens, sentences) if cut] for sentences in references]
    if [] in expected:
        raise ValueError(f"photo {expected.index([])} has no reference caption with a word in it; leave it out")
    return [" ".join(tokens(caption)) for caption in captions], expected


def scorers() -> tuple[type, type, type]:
    """pycocoevalcap's BleuScorer, Cider and Rouge. Raises ImportError naming the extra where it is not installed."""
    try:
        from pycocoevalcap.bleu.bleu_scorer import BleuScorer
        from pycocoevalcap.cider.cider import Cider
        from pycocoevalcap.rouge.rouge import Rouge
    except ImportError as error:
        raise ImportError('scoring captions needs pycocoevalcap: pip install "mm-memgpt[evaluate]"') from error
    return BleuScorer, Cider, Rouge


def _statistics(captions: list[str], references: list[list[str]]) -> np.ndarray:
    """(n, 13): CIDEr, ROUGE-L, 1, caption length, closest reference length, matched and written runs of each order."""
    bleu_scorer, _, rouge = scorers()
    expected = dict(enumerate(references))
    written = {i: [caption] for i, caption in enumerate(captions)}
    counts = bleu_scorer(n=ORDERS)
    for caption, sentences in zip(captions, references, strict=True):
        counts += (caption, sentences)
    rows = [
        [
            row["testlen"],
            min(row["reflen"], key=lambda length, written=row["testlen"]: (abs(length - written), length)),
            *row["correct"],
            *row["guess"],
        ]
        for row in counts.ctest
    ]
    return np.column_stack(
        [
            _ciders(captions, references),
            rouge().compute_score(expected, written)[1],
            np.ones(len(captions)),
            np.array(rows, dtype=np.float64),
        ]
    )


def _metrics(totals: np.ndarray) -> np.ndarray:
    """(r, 13) summed statistics to (r, 6): CIDEr, BLEU-1 to 4, ROUGE-L.

    BLEU-N = exp(min(0, 1 - reference length / length)) · (Π_n matched_n / written_n)^(1/N), with the tiny constants
    that pycocoevalcap adds against division by zero.
    """
    cider, rouge, photos, length, reference = totals[:, :5].T
    matched, written = totals[:, 5 : 5 + ORDERS], totals[:, 5 + ORDERS :]
    precision = np.cumprod((matched + 1e-15) / (written + 1e-9), axis=1)
    ratio = (length + 1e-15) / (reference + 1e-9)
    brevity = np.exp(np.minimum(0, 1 - 1 / ratio))
    bleu = brevity[:, None] * precision ** (1 / np.arange(1, ORDERS + 1))
    return np.column_stack([cider / photos, bleu, rouge / photos])
