"""Two checkpoints of finished runs held against each other: what changed, what it shows, whether it may ship."""
