"""The run file: its schema, loading it, presets."""
