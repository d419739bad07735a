"""Forms of verbs that no ending tells: a question asks "did you buy", and the answer says "bought".

Notable: forms of one verb are one to what tells how much of a question a sentence has, and each of them is looked for.
"""

from mm_memgpt.explain.content import stem, stems
from mm_memgpt.words import words

_VERBS = """
become became, begin began begun, bite bit bitten, blow blew blown, break broke broken, bring brought, build built,
buy bought, catch caught, choose chose chosen, come came, cost, cut, deal dealt, dig dug, draw drew drawn,
dream dreamt, drink drank drunk, drive drove driven, eat ate eaten, fall fell fallen, feed fed, feel felt, fight fought,
find found, fly flew flown, forget forgot forgotten, forgive forgave forgiven, freeze froze frozen, get got gotten,
give gave given, go went gone, grow grew grown, hang hung, hear heard, hide hid hidden, hold held, keep kept,
know knew known, lead led, learn learnt, leave left, lend lent, lose lost, make made, mean meant, meet met, pay paid,
read, ride rode ridden, ring rang rung, rise rose risen, run ran, say said, see saw seen, sell sold, send sent, shake
shook shaken, shine shone, shoot shot, show shown, sing sang sung, sit sat, sleep slept, speak spoke spoken,
spend spent, stand stood, steal stole stolen, stick stuck, strike struck, swim swam swum, take took taken,
teach taught, tear tore torn, tell told, think thought, throw threw thrown, understand understood, wake woke woken,
wear wore worn, win won, write wrote written
"""
_FORMS = [verb.split() for verb in _VERBS.split(",")]
BASE = {stem(form): stem(forms[0]) for forms in _FORMS for form in forms}
"""Stem of a form to that of its verb."""

OTHERS = {stem(forms[0]): forms for forms in _FORMS}
"""Stem of a verb to all of its forms."""


def base(stemmed: str) -> str:
    """The stem of the verb that a stem is a form of; itself, where it is of none."""
    return BASE.get(stemmed, stemmed)


def base_stems(text: str) -> set[str]:
    """The stems of a text's content words, of verbs in one form."""
    return {base(each) for each in stems([text])}


def with_forms(text: str) -> str:
    """A text and behind it the other forms of its verbs."""
    said = words(text)
    more = [form for word in said for form in OTHERS.get(base(stem(word)), ()) if form not in said]
    return " ".join([text, *dict.fromkeys(more)])
