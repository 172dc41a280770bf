"""A newsroom's feed and digest service."""

__version__ = "0.1.0"
