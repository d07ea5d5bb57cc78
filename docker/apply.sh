#!/bin/bash
# Puts the patch in as leniently as the official harness does: exactly, by a three-way merge, with fuzz.
# Each try starts from the untouched tree. Exit status 1 when none of them takes it; git's own reason comes last.
patch_file=$1
cd /testbed || exit 2
reason=$(git apply --verbose "$patch_file" 2>&1) && echo "$reason" && exit 0
pristine() { git checkout --quiet HEAD -- . ; git clean --quiet -fd; git reset --quiet; }
refuse() {
  pristine
  echo "$reason"
  exit 1
}
git apply --verbose --3way "$patch_file" && exit 0
pristine
# git refuses paths inside .git, patch does not
grep -qE '^(\+\+\+|---) ([^ ]*/)?\.git/' "$patch_file" && refuse
command -v patch >/dev/null || refuse
patch --batch --forward --fuzz=5 -p1 -i "$patch_file" && exit 0
refuse
