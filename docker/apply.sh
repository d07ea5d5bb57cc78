#!/bin/bash
# Puts a patch into the tree in this folder with the commands of the official harness, in its order and as it does:
# what a failed try leaves behind is cleared the same way, and in the end a patch that is there already counts, too.
# Arguments: the patch, and a file for the paths that were touched, each with a null byte behind it.
# Exit status 1 if nothing takes the patch; git's own reason comes last.
patch_file=$1
touched=${2:-/dev/null}

# What git itself read in the patch: the new names, then the old ones.
names() {
  for way in "" --reverse; do
    git apply --numstat -z $way "$patch_file" | cut -z -f 3-
  done
}
if reason=$(git apply --verbose "$patch_file" 2>&1); then
  echo "$reason"
  names > "$touched"
  exit 0
fi

inside_git="error: the patch changes files inside .git"
states=$(mktemp -d)
trap 'rm -rf "$states"' EXIT
state() { find "$@" ! -type d -printf '%y %m %i %s %C@ %p\0' | LC_ALL=C sort -z; }
refuse() {
  echo "$reason"
  exit 1
}
pristine() {
  git checkout -- .
  git clean -fd
}
by_patch() {
  # patch writes into .git, and the next git command would run what it wrote
  state .git > "$states/git"
  patch --batch --forward --fuzz=5 -p1 -i "$patch_file"
  local status=$?
  state .git | cmp -s - "$states/git" && return $status
  reason=$inside_git
  refuse
}
chain() {
  pristine
  # what git takes may leave no trace in the files: a submodule's commit, a mode
  git apply --verbose --3way "$patch_file" && names > "$states/named" && return
  pristine
  git apply --verbose --reject "$patch_file" && names > "$states/named" && return
  pristine
  by_patch && return
  # it is there already
  git apply --check --reverse "$patch_file" && names > "$states/named"
}

tree() { state . -path ./.git -prune -o; }
tree > "$states/before"
chain || refuse
tree | LC_ALL=C comm -z -3 "$states/before" - | sed -zE 's,^\t?([^ ]+ ){5}\./,,' > "$states/touched"
if grep -qzE '(^|/)\.git/' "$states/touched"; then
  reason=$inside_git
  refuse
fi
cat "$states/touched" "$states/named" > "$touched" 2> /dev/null
exit 0
