"""What is served over HTTP: the folder of feeds, and the state of the service."""
