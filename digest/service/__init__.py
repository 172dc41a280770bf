"""The process that wakes the verbs, and how it is doing."""
