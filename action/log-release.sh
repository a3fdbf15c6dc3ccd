#!/usr/bin/env bash
# The step of action.yml that logs: its inputs come as variables, an empty one is not given.
set -euo pipefail
umask 077

daybook() { node "$GITHUB_ACTION_PATH/../dist/cli/main.js" "$@"; }

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
key="$temporary/pipeline.key"
printf '%s\n' "$KEY" > "$key"
unset KEY

mapfile -t files < <(printf '%s\n' "$FILES" | sed '/^[[:space:]]*$/d')
log=(--log "$LOG" --policy "$POLICY" --state "$temporary/state")
signed=("${log[@]}" --key "$key")

repository="$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"
source=${SOURCE:-git+$repository@$GITHUB_SHA}
# Without the branch or tag, so that the builder of each release has the same name.
builder=${BUILDER:-$GITHUB_SERVER_URL/${GITHUB_WORKFLOW_REF%@*}}

daybook attest provenance "${files[@]}" "${signed[@]}" --purl "$PURL" \
  --source "$source" --builder "$builder" \
  --invocation "$repository/actions/runs/$GITHUB_RUN_ID" \
  ${COMMITMENT:+--commitment "$COMMITMENT"} \
  ${ASSEMBLY:+--assembly "$ASSEMBLY"} ${SIGNING:+--signing "$SIGNING"}

daybook release "${files[@]}" "${signed[@]}" --purl "$PURL" \
  --kind "$KIND" --source "$source" --builder "$builder"

if [ -n "$CHANNEL" ]; then
  current=()
  for file in "${files[@]}"; do current+=(--release "$file=$PURL"); done
  daybook channel publish "$CHANNEL" "${signed[@]}" --expires "$EXPIRES" "${current[@]}"
fi

for file in "${files[@]}"; do daybook bundle "$file" "${log[@]}"; done
