"""Fusion: slots exchange messages on a graph, and the tokens of each modality read those of the others."""
