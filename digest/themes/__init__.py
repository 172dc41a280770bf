"""Which subjects an article belongs to, and why."""
