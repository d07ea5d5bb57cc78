#!/bin/bash
# Prints the row's test files before and after its test patch, one line each: when, the file's number, base64.
# Read from git's object store, at the row's base commit or else at the image's own.
cd /testbed || exit 95
export GIT_INDEX_FILE=/harness/index
git read-tree "$(cat /harness/base)" 2>/dev/null || git read-tree HEAD || exit 96
show() {
  number=0
  while IFS= read -r path; do
    if object=$(git rev-parse --verify --quiet ":$path"); then
      echo "$1 $number $(git cat-file blob "$object" | base64 -w 0)"
    fi
    number=$((number + 1))
  done < /harness/paths
}
show before
git apply --cached /harness/test.diff || exit 97
show after
