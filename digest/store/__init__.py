"""What we keep: SQLite."""
