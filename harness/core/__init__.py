"""Values and interfaces that every room shares: no I/O, and no third-party import but pydantic."""
