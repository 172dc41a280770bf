"""What comes in: documents, as bytes, made into entries."""
