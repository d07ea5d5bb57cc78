"""An instance's image: named, found, pulled, kept within a budget."""
