"""What comes back for mail that we sent."""
