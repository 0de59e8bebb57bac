#!/bin/sh
# Publishes the project to package. Needs the .NET SDK.
set -e
cd "$(dirname "$0")"
rm -rf package
dotnet publish --configuration Release --output package
