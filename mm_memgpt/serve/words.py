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
ELSEWHERE = (
    "The confidence was calibrated on captions of photos: of a sound, a clip or an answer, this figure is a guess."
)
UNCALIBRATED = (
    "This is how likely the model found its own wording, a token on average (geometric mean). It is not calibrated: "
    "a fluent sentence can be confident and wrong."
)


def sureness(logprob: float) -> float:
    """The place of a log-probability on the colour scale: 0 at one in a hundred or less, 1 at certain."""
    return 1 - min(max(logprob / LEAST, 0.0), 1.0)


def sentence(caption: Caption, calibrated: bool = False, prompt: str = "", of: str = "photo") -> str:
    """The caption with its coloured words, its confidence and what that means, and the legend of the colours.

    Args:
        caption: what was written.
        calibrated: whether its confidence is a probability.
        prompt: what it was given to begin with, one space between two words; it is shown without colours.
        of: what it is about.
    """
    given = begun(caption, prompt)
    words = " ".join(map(_word, caption.words[given:])) or "(The model wrote no word.)"
    asked = f'<span class="mm-given">{escape(" ".join(prompt.split()[:given]))}</span> ' if given else ""
    meaning = UNCALIBRATED if not calibrated else CALIBRATED if of == "photo" and not prompt else ELSEWHERE
    return (
        f'<div class="mm-result" role="status"><p class="mm-sentence">{asked}{words}</p>{_LEGEND}'
        f'<p class="mm-confidence"><strong>Confidence <span>{percent(caption.confidence)}</span></strong> '
        f"{meaning}</p></div>"
    )


def begun(caption: Caption, prompt: str) -> int:
    """How many of the caption's words are the prompt's; a last one that the model went on with is its own."""
    return sum(given == word.word for given, word in zip(prompt.split(), caption.words, strict=False))


def clock(seconds: float) -> str:
    """A second of a sound or clip for people, to a tenth: 0:07.5, or 1:02:03.0 where there are hours."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    shown = f"{minutes // 60}:{minutes % 60:02}" if minutes >= 60 else str(minutes)
    return f"{shown}:{rest // 10:02}.{rest % 10}"


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
