"""The pages about the site itself: feeds, corrections, about, privacy, sitemaps; and the list of all kinds of
pages."""

from digest.web import archive, reading, searching

PLACES = (*reading.PLACES, *searching.PLACES, *archive.PLACES)
