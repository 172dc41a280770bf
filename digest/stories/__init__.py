"""Which articles are about the same event."""
