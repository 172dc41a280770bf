"""What we decide: language, date, themes, stories, windows, selection. Pure."""
