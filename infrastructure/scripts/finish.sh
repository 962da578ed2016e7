#!/usr/bin/env bash
# Ends a deployment: the revision with all the traffic becomes blue, and the one before gets the label previous, to go back to.
# Others are stopped.
# Usage: finish.sh
[ $# = 0 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
old=$(revision_with blue)
new=$(revision_with green)
weight=$(weight_of "$new")
[ -n "$new" ] && [ "$weight" = 100 ] || die "No new revision has all the traffic."
app revision label add --label blue --revision "$new" --no-prompt >/dev/null
app revision label add --label previous --revision "$old" --no-prompt >/dev/null
active=$(app revision list --query '[?properties.active].name')
for each in $active; do
    [ "$each" = "$old" ] || [ "$each" = "$new" ] || app revision deactivate --revision "$each" >/dev/null
done
echo "$new is blue. $old runs on, for 'roll-back.sh previous'."
