"""pihub: one small box in front of every API and model."""

__version__ = "0.1.0"
