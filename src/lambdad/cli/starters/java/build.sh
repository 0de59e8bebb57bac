#!/bin/sh
# Compiles what is in src to package. Needs a JDK.
set -e
cd "$(dirname "$0")"
rm -rf package
mkdir package
find src -name '*.java' -exec javac -encoding UTF-8 -d package {} +
