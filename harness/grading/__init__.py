"""A patch and an instance in, a verdict out."""
