"""Two checkpoints of finished runs held against each other: changes, meaning, gate; and one attempt, shown."""
