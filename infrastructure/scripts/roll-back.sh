#!/usr/bin/env bash
# Gives all the traffic back at once, and takes it from all other revisions. The database stays, for old servers can use it.
# Usage: roll-back.sh            during a deployment: to the revision with the label blue
#        roll-back.sh previous   after a deployment: to the one before, which has the label previous
[ $# = 0 ] || [ "$*" = previous ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
to=$(revision_with "${1:-blue}")
[ -n "$to" ] || die "No revision has the label ${1:-blue}."
others=$(app ingress traffic show --query "[?weight>\`0\` && revisionName!='$to'].revisionName")
weights=("$to=100")
for each in $others; do weights+=("$each=0"); done
app ingress traffic set --revision-weight "${weights[@]}" >/dev/null
if [ $# = 1 ]; then
    app revision label swap --source previous --target blue >/dev/null
else
    green=$(revision_with green)
    [ -z "$green" ] || app revision label remove --label green >/dev/null
fi
echo "$to has all the traffic."
