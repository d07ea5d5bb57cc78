"""A run's results as pages that open without a network: tables, pictures, comparisons, and every instance."""
