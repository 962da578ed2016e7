#!/usr/bin/env bash
# Gives all the traffic back at once: during a deployment to the revision that had it (blue), after one to the one before (previous).
# The database stays as it is, for the old servers can use it.
# Usage: roll-back.sh
[ $# = 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
blue=$(revision_with blue)
green=$(revision_with green)
previous=$(revision_with previous)
[ -n "$blue" ] || die "No revision is blue."
if [ -n "$green" ]; then
    app ingress traffic set --revision-weight "$blue=100" "$green=0" >/dev/null
    app revision label remove --label green >/dev/null
    echo "$blue has all the traffic. $green runs on, without any."
elif [ -n "$previous" ]; then
    app ingress traffic set --revision-weight "$previous=100" "$blue=0" >/dev/null
    app revision label swap --source previous --target blue >/dev/null
    echo "$previous has all the traffic. $blue runs on, without any."
else
    die "There is no revision to go back to: $blue has all the traffic."
fi
