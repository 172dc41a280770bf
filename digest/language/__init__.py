"""Words and plain text of each language that we write in: pure but for reading its own data files."""
