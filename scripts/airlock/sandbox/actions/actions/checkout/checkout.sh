#!/usr/bin/env bash
# What actions/checkout does with git, against the sandbox's server.
set -euo pipefail

git init --quiet --initial-branch=main "$GITHUB_WORKSPACE/$FOLDER"
cd -- "$GITHUB_WORKSPACE/$FOLDER"
git remote add origin "$GITHUB_SERVER_URL/$REPOSITORY"

basic=$(printf 'x-access-token:%s' "$TOKEN" | base64 | tr -d '\n')
header="http.$GITHUB_SERVER_URL/.extraheader"
git config "$header" "AUTHORIZATION: basic $basic"

options=(--quiet --no-tags --prune --no-recurse-submodules)
((DEPTH == 0)) || options+=("--depth=$DEPTH")

case "${REF:-$GITHUB_REF}" in
  refs/pull/*)
    local_ref=refs/remotes/pull/${GITHUB_REF#refs/pull/}
    git fetch "${options[@]}" origin "+${GITHUB_REF}:${local_ref}"
    git checkout --quiet --detach "$local_ref"
    ;;
  refs/heads/*)
    branch=${GITHUB_REF#refs/heads/}
    git fetch "${options[@]}" origin "+${GITHUB_SHA}:refs/remotes/origin/${branch}"
    git checkout --quiet -B "$branch" "refs/remotes/origin/$branch"
    ;;
  *)
    git fetch "${options[@]}" origin "$REF"
    git checkout --quiet --detach FETCH_HEAD
    ;;
esac

[[ $PERSIST == true ]] || git config --unset-all "$header"
{
  echo "ref=${REF:-$GITHUB_REF}"
  echo "commit=$(git rev-parse HEAD)"
} >>"$GITHUB_OUTPUT"
