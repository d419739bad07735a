"""Encoders: each turns one modality into Features (mm_memgpt.types)."""
