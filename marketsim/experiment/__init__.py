"""Experiments: many runs and what they show together. One run is the business of ``simulation``."""
