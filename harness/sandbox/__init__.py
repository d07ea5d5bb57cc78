"""One command in one locked-down container."""
