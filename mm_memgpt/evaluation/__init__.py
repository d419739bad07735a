"""Evaluation: one evaluator, with an interval around every figure."""
