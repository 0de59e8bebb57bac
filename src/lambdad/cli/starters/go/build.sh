#!/bin/sh
# Compiles the program to package/bootstrap. Needs Go.
set -e
cd "$(dirname "$0")"
rm -rf package
go mod tidy
CGO_ENABLED=0 go build -o package/bootstrap .
