#!/bin/bash
# Runs a script with each Python of an image that lies outside the repository.
# Arguments: the script, and the file on its input. Exit status 0 if all were asked, whatever they said.
find / -xdev -maxdepth 6 -path '*/bin/python3' ! -path '/testbed/*' 2> /dev/null | while IFS= read -r python; do
  "$python" -B "$1" < "$2" 2> /dev/null
done
exit 0
