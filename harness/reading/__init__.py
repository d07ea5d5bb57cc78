"""Reading what a model wrote: text in, edits, names and places out; no text makes it raise."""
