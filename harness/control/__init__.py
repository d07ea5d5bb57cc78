"""Changed expectations of tests: what a counter-evaluation draws from. Values in, values out."""
