"""From articles to mail: windows, selection, frozen editions, deliveries."""
