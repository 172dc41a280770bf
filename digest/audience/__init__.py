"""Recipients, their choices, and addresses that must not be mailed."""
