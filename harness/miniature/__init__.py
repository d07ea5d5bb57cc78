"""Generated instances: small packages with one injected bug each."""
