"""Models: the seam into a causal language model, the whole model, and the processor that feeds it."""
