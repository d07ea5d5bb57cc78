"""Helpers that know nothing of SWE-bench: files, journals, hashes, retries, progress, the Docker client."""
