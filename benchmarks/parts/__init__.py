"""What several benchmarks use, and what one of them runs in processes of its own; none is a command by itself."""
