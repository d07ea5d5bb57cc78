#!/bin/bash
# Everything before the tests: the patch goes in, then the row's own set-up runs.
# Arguments: the base commit, then the test files. Lines "expected" tell git's names for what these have to hold; what
# they hold in the end follows the last line "harness: watched files". Exit status 94: the patch does not apply.
base_commit=$1
shift
cd /testbed || exit 95
# Nothing of the patch is here yet, so git can be believed.
if [ -s /harness/test.diff ]; then
  export GIT_INDEX_FILE=/harness/index
  git read-tree "$base_commit" 2>/dev/null || git read-tree HEAD
  git apply --cached /harness/test.diff && git ls-files --stage -z -- "$@" | tr '\0\t' '\n ' | sed 's/^/expected /'
  unset GIT_INDEX_FILE
fi
# The tests find /testbed under another owner (harness/sandbox/watched_files.py), which git would refuse.
git config --system --add safe.directory /testbed
if [ -e /harness/patch.diff ]; then
  /bin/bash /harness/apply.sh /harness/patch.diff || exit 94
fi
/bin/bash /harness/setup.sh
status=$?
printf '\n%s\n' "harness: watched files"
for path in "$@"; do
  if [ -f "$path" ] && [ ! -L "$path" ]; then
    echo "$(stat -c %a -- "$path") $(base64 -w 0 -- "$path") /testbed/$path"
  fi
done
exit $status
