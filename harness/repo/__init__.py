"""The files of a repository at a commit, and what is in them."""
