"""Backbones: any pretrained model by name or path, made to give Features."""
