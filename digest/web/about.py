"""The pages about the site itself: feeds, corrections, about, privacy, sitemaps; and the list of all kinds of
pages."""

from digest.web import reading, sitemaps

PLACES = (*reading.PLACES, *sitemaps.PLACES)
