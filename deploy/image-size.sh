#!/bin/sh
# How large the image is, where no container engine runs: the program as the Dockerfile strips it, and the packages of its base.
#   deploy/image-size.sh [PROGRAM]   target/release/catalog-sync, or another build of it
# gcr.io/distroless/cc-debian12 is these packages of Debian 12 without their tools and documents: their installed size is its upper bound.
set -eu
cd "$(dirname "$0")/.."
program=${1:-target/release/catalog-sync}
limit=80000000
stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$program"
ours=$(wc -c <"$stripped")
packages='base-files netbase tzdata media-types ca-certificates libc6 libssl3 libgcc-s1 libgomp1 libstdc++6'
# Of each package the newest version, which comes first; sizes are in KiB.
# shellcheck disable=SC2086 # one word for each package
known=$(apt-cache show $packages | awk '
  /^Package: / { package = $2 }
  /^Installed-Size: / && !(package in size) { size[package] = $2; print package, $2 }')
base=0
for package in $packages; do
  size=$(echo "$known" | sed -n "s/^$package //p")
  [ -n "$size" ] || { echo "image-size: apt knows no $package" >&2; exit 2; }
  base=$((base + size * 1024))
done
echo "base $base bytes (upper bound), program $ours bytes, image $((base + ours)) bytes; at most $limit"
[ $((base + ours)) -le "$limit" ]
