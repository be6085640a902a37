#!/usr/bin/env bash
# Find a Python that can run Airlock and become bootstrap.py under it.
#
# Usage: bootstrap.sh FAMILY COMMAND [ARGUMENT...]
#
# Every step from the runner to the command is an `exec`: a cancelled job sends its SIGINT only to the
# process it started, and a release has to hear it to put traffic back.
set -euo pipefail

refuse() {
  printf '::error title=Airlock::%s\n' "$1"
  exit 2
}

# `-I` keeps PYTHON* variables, user site-packages and the checkout out of this and all that follows.
# A relative path would come from a relative entry of PATH, that is, out of the checkout.
# What a shim of a version manager leads to is said once, for the way there is long.
suits() {
  [[ $1 == /* ]] && "$1" -I -S -c '
import sys
print(sys.executable)
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

case "$(uname -sm)" in
  'Linux x86_64' | 'Linux aarch64' | 'Darwin x86_64' | 'Darwin arm64') ;;
  *) refuse "Airlock runs on Linux (x64, arm64) and macOS runners, not on $(uname -sm). Set runs-on to one of those." ;;
esac

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cached=$(printf '%s\n' "${RUNNER_TOOL_CACHE:-/nonexistent}"/Python/3.{14,13,12,11}.*/*/bin/python3)
# On a descriptor of its own: the command must find the caller's standard input.
while IFS= read -r name <&3; do
  found=$(type -P -- "$name") || continue
  if python=$(suits "$found"); then
    exec 3<&-
    exec "$python" -I "$here/bootstrap.py" "$@"
  fi
done 3<<<"python3
python3.14
python3.13
python3.12
python3.11
$cached"

refuse 'No Python 3.11 to 3.14 on this runner. Add actions/setup-python before this step, or install python3.'
