"""Objectives: what a training run minimises, one function and one thin class each."""
