"""What recipients get."""
