"""Asking a model: served here, at an endpoint, or recorded."""
