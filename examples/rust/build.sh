#!/bin/sh
# Compiles the program to package/bootstrap. Needs Rust; PROFILE=dev compiles faster.
set -e
cd "$(dirname "$0")"
rm -rf package
mkdir package
profile=${PROFILE:-release}
cargo build --quiet --profile "$profile"
[ "$profile" != dev ] || profile=debug
cp "${CARGO_TARGET_DIR:-target}/$profile/bootstrap" package
