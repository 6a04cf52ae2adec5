"""Orders, claims and mails of a small shop."""
