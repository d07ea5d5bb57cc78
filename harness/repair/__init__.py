"""From places to a patch."""
