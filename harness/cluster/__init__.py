"""Jobs and model servers on the machines of a Ray cluster, and their images and left-overs on each node."""
