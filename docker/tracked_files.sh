#!/bin/bash
# Prints git's name for the tree of the row's base commit, or else of the image's own, and the paths in it.
cd /testbed || exit 95
tree=$(git rev-parse --verify --quiet "$(cat /harness/base)^{tree}") || tree=$(git rev-parse 'HEAD^{tree}') || exit 96
echo "tree $tree"
git ls-tree -r --name-only "$tree" | sed 's/^/file /'
