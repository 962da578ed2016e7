#!/usr/bin/env bash
# Shows what would change in an environment, writes the plan for add-revision.sh, and prints the digest of what it shows.
# Without IMAGE and REVISION, those of the newest revision stay. With them there will be a new one.
# Terraform's other variables come from TF_VAR_…: see README.md.
# Usage: plan.sh ENVIRONMENT PLAN [IMAGE REVISION]
#   ENVIRONMENT is one of infrastructure/environments, PLAN the absolute path of a file, IMAGE name@sha256:…, REVISION a new suffix.
[ $# = 2 ] || [ $# = 4 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/azure.sh"
image=${3:-$(app show --query 'properties.template.containers[0].image')}
image=${image#*azurecr.io/}
[[ $image =~ ^[a-z0-9._-]+@sha256:[0-9a-f]{64}$ ]] || die "An image is named by its digest: name@sha256:…."
revision=${4:-$(app show --query properties.template.revisionSuffix)}
terraform() { command terraform -chdir="$(dirname "${BASH_SOURCE[0]}")/.." "$@"; }
terraform init -input=false -reconfigure -backend-config="environments/$1.backend.hcl" >/dev/null
terraform plan -input=false -lock-timeout=5m -var-file="environments/$1.tfvars" \
    -var "image=$image" -var "revision=$revision" -out="$2" >/dev/null
shown=$(terraform show -no-color "$2")
echo "$shown"
echo "Digest: $(sha256sum <<<"$shown" | cut -d ' ' -f 1)"
