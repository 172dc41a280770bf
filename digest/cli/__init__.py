"""One short function a command."""
