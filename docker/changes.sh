#!/bin/bash
# Tells what putting a patch in did to the tree in this folder, before anything of the patch runs: one line "changes"
# and, in base64, an archive of what the touched files hold now ("./path") and held before, as git's objects have it.
# No attribute, filter or hook has a part in it. Arguments: the touched paths, each with a null byte behind it, then the
# row's test files. Named with them are tracked files that share a name with a touched module ("twins").
MOST_BYTES=11534336 # compressed; what is longer is cut, and then can't be read
facts=$(mktemp -d)
touched=$facts/touched
list=$1
shift

# what is listed twice would be a hard link in the archive
LC_ALL=C sort -zu "$list" > "$touched"
xargs -0 -r git --literal-pathspecs ls-tree -z HEAD -- < "$touched" > "$facts/before"
cut -z -f 1 < "$facts/before" | cut -z -d ' ' -f 3 | tr '\0' '\n' | git cat-file --batch > "$facts/blobs"
# a module is named by its file, or by its folder
sed -zE 's,/__init__\.[^/]*$,,; s,.*/,,; s,\..*,,' "$touched" | grep -zE '^[A-Za-z_][A-Za-z0-9_]*$' |
  LC_ALL=C sort -zu | tr '\0' '\n' > "$facts/names"
if [ -s "$facts/names" ]; then
  git ls-tree -r -z --name-only HEAD | grep -zE '\.py$' | grep -zwFf "$facts/names" > "$facts/twins"
fi
printf '%s\0' "$@" >> "$facts/twins"
declare -A seen
while IFS= read -r -d '' folder; do
  while [[ $folder == */* ]]; do
    folder=${folder%/*}
    [ -n "${seen[$folder]}" ] && break
    seen[$folder]=1
    if [ -e "$folder/__init__.py" ]; then
      printf 'package %s\0' "$folder"
    elif [ -d "$folder" ]; then
      printf 'folder %s\0' "$folder"
    fi
  done
done < <(cat "$touched" "$facts/twins") > "$facts/folders"
sed -z 's,^,./,' "$touched" > "$facts/paths"
printf 'changes '
{
  tar --create --no-recursion --directory "$facts" before blobs folders paths twins \
    --directory "$PWD" --null --files-from "$facts/paths" 2> /dev/null
} | gzip -1 | head -c $MOST_BYTES | base64 -w 0
echo
rm -rf "$facts"
