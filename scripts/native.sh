#!/bin/sh
# Compiles the C of worker/native for this machine, where it is newer than what is there. Without a C compiler nothing is
# built, and the worker does the same by Python, slower and no less safe, but for Parquet. An image or a package has to
# be built for the machine that it runs on.
set -eu
cd "$(dirname "$0")/../worker/native"

if [ -f compiled.so ] && [ -z "$(find . -name '*.[ch]' -newer compiled.so)" ]; then exit; fi
compiler=$(command -v "${CC:-cc}" || command -v gcc || true)
if [ -z "$compiler" ]; then
    echo "native: there is no C compiler; without it the worker uses more CPU, and writes no Parquet" >&2
    exit
fi
# To a file of its own first: a worker that runs may have the old one open.
if "$compiler" -O3 -Wall -Wextra -shared -fPIC -o "compiled.so.$$" ./*.c; then
    mv "compiled.so.$$" compiled.so
else
    rm -f "compiled.so.$$"
    echo "native: $compiler cannot compile worker/native; without it the worker uses more CPU, and writes no Parquet" >&2
fi
