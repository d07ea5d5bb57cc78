"""Statistics of outcomes: rates, paired comparisons, the mathematics of a gate. Values in, values out."""
