"""What readers follow: Atom, RSS, JSON Feed, OPML and their HTML twins."""
