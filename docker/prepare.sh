#!/bin/bash
# Everything before the tests: the patch goes in, then the row's own set-up runs.
# Arguments: the base commit, then the test files. Lines "expected" tell git's names for what these have to hold, the
# line "changes" what the patch did; both are told before anything of the patch runs. What the test files hold in the
# end follows the last line "harness: watched files". Exit status 94: the patch does not apply.
base_commit=$1
shift
cd /testbed || exit 95
# Nothing of the patch is here yet, so git can be believed.
if [ -s /harness/test.diff ]; then
  (
    # nothing of the test patch stays in the repository
    mkdir /harness/objects
    export GIT_INDEX_FILE=/harness/index GIT_OBJECT_DIRECTORY=/harness/objects
    export GIT_ALTERNATE_OBJECT_DIRECTORIES=/testbed/.git/objects
    git read-tree "$base_commit" 2> /dev/null || git read-tree HEAD
    git apply --cached /harness/test.diff 2> /harness/warnings &&
      git ls-files --stage -z -- "$@" | tr '\0\t' '\n ' | sed 's/^/expected /'
  )
fi
# The tests find /testbed under another owner (harness/sandbox/watched_files.py), which git would refuse.
git config --system --add safe.directory /testbed
if [ -e /harness/patch.diff ]; then
  /bin/bash /harness/apply.sh /harness/patch.diff /harness/touched > /harness/said 2>&1
  status=$?
  [ $status = 0 ] && /bin/bash /harness/changes.sh /harness/touched "$@"
  cat /harness/said
  [ $status = 0 ] || exit 94
fi
# What runs from here on may be the patch's: nothing is left for it to read but what the set-up itself needs.
find /harness -mindepth 1 ! -name setup.sh -delete
/bin/bash /harness/setup.sh
status=$?
rm -f /harness/setup.sh
# Bytecode may say that it was made of a test file, and hold anything.
for path in "$@"; do
  name=${path##*/}
  [[ $path == */* ]] && folder=${path%/*} || folder=.
  rm -f -- "$folder/__pycache__/${name%.*}".*
done
printf '\n%s\n' "harness: watched files"
for path in "$@"; do
  if [ -f "$path" ] && [ ! -L "$path" ]; then
    echo "$(stat -c %a -- "$path") $(base64 -w 0 -- "$path") /testbed/$path"
  fi
done
exit $status
