"""The laboratory's corpus: documents of generated bugs, and what its questions ask."""
