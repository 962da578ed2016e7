#!/usr/bin/env bash
# Gives a part of the traffic to the revision with the label green, and the rest to the one with the label blue.
# Usage: shift-traffic.sh PERCENT
[ $# = 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
[[ $1 =~ ^(0|[1-9][0-9]?|100)$ ]] || die "Give the per cent, from 0 to 100."
old=$(revision_with blue)
new=$(revision_with green)
[ -n "$old" ] && [ -n "$new" ] || die "There are no two revisions: run add-revision.sh first."
app ingress traffic set --revision-weight "$new=$1" "$old=$((100 - $1))" >/dev/null
echo "$new has $1 per cent of the traffic, $old has $((100 - $1))."
