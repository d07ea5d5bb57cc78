"""From an issue to places in the code."""
