"""What is served over HTTP: the folder of feeds, and how the service is."""
