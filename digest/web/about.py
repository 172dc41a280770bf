"""The pages about the site itself: feeds, corrections, about, privacy, sitemaps; and the list of all kinds of
pages."""

from digest.web import cards, reading

PLACES = (*reading.PLACES, *cards.PLACES)
