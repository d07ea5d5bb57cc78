"""Results of other harnesses read into a results folder of ours, and ours written in the forms of others."""
