"""Stub of vLLM for the tests of the server's life cycle."""
