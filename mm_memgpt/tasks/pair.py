"""Pairs: whether, or how, one text goes with another, read together: does this passage answer that question?"""

from mm_memgpt.tasks.classification import Classification


class Pair(Classification):
    """Classification of two texts that the backbone reads as one; options as `Classification`."""

    name = "pair"
    inputs = ("text", "text_pair")
    needs = ("text", "text_pair", "label")
