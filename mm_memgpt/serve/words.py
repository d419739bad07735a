"""A caption as HTML: each word on a colour that says how probable the model held it, the figure where one points.

Notable: the colour is linear in the log-probability, from one in a hundred to certain, and mixed in the browser from
two colours of the theme (`look.py`); a word's figure is text behind it, shown on hover and on focus, so that neither a
mouse nor colour vision is needed; all that comes from outside is escaped.
"""

import math
from html import escape

from mm_memgpt.types import Caption, Word

LEAST = math.log(0.01)
"""Log-probability at the doubtful end of the colours; what lies below looks the same."""

CALIBRATED = (
    "Of captions that the model was this sure of, about so many were good ones (near to one that a person wrote) on "
    "the photos it was calibrated on. On photos of another kind it is a guess."
)
UNCALIBRATED = (
    "This is how likely the model found its own wording, a token on average (geometric mean). It is not calibrated: "
    "a fluent sentence can be confident and wrong."
)


def sureness(logprob: float) -> float:
    """The place of a log-probability on the colour scale: 0 at one in a hundred or less, 1 at certain."""
    return 1 - min(max(logprob / LEAST, 0.0), 1.0)


def sentence(caption: Caption, calibrated: bool = False) -> str:
    """The caption with its coloured words, its confidence and what that means, and the legend of the colours."""
    words = " ".join(map(_word, caption.words)) or "(The model wrote no word.)"
    return (
        f'<div class="mm-result" role="status"><p class="mm-sentence">{words}</p>{_LEGEND}'
        f'<p class="mm-confidence"><strong>Confidence <span>{percent(caption.confidence)}</span></strong> '
        f"{CALIBRATED if calibrated else UNCALIBRATED}</p></div>"
    )


def problem(message: str) -> str:
    """One line that says what was wrong with the input."""
    return f'<p class="mm-problem" role="alert">{escape(message)}</p>'


def hint(message: str) -> str:
    """What to do, where there is nothing to show yet."""
    return f'<p class="mm-hint">{escape(message)}</p>'


def percent(probability: float) -> str:
    """A probability for people: whole percents, one decimal below 10 %, and never 0 % or 100 % by rounding."""
    if 0 < probability < 0.001:
        return "&lt;\u202f0.1\u202f%"
    if 0.995 <= probability < 1:
        return "&gt;\u202f99\u202f%"
    return f"{100 * probability:.{0 if probability >= 0.0995 else 1}f}\u202f%"


def _word(word: Word) -> str:
    shown = escape(word.word)
    figure = f"“{shown}” {percent(math.exp(word.logprob))}, log-probability {word.logprob:.2f}"
    return (
        f'<span class="mm-word" tabindex="0" style="--sure: {sureness(word.logprob):.1%}">'
        f'{shown}<span class="mm-figure">{figure}</span></span>'
    )


_LEGEND = (
    '<div class="mm-legend">How probable the model held each word. Point at one, or tap it, for its figure.'
    '<div class="mm-scale"></div><div class="mm-ticks"><span>1\u202f% or less</span><span>10\u202f%</span>'
    "<span>100\u202f%</span></div></div>"
)
