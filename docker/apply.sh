#!/bin/bash
# Puts the patch in as leniently as the official harness does: exactly, by a three-way merge, with fuzz.
# Each try starts from the untouched tree. Exit status 1 when none of them takes it.
patch_file=$1
cd /testbed || exit 2
git apply --verbose "$patch_file" && exit 0
pristine() { git checkout --quiet HEAD -- . ; git clean --quiet -fd; git reset --quiet; }
git apply --verbose --3way "$patch_file" && exit 0
pristine
# git refuses paths inside .git, patch does not
grep -qE '^(\+\+\+|---) ([^ ]*/)?\.git/' "$patch_file" && exit 1
patch --batch --forward --fuzz=5 -p1 -i "$patch_file" && exit 0
pristine
exit 1
