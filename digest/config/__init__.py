"""config.toml as checked types."""
