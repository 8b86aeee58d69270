#!/bin/sh
# Compiles worker/copyout.c for this machine, where that is newer than what is there. Without a C compiler nothing is
# built, and the worker reads by Python: slower, and no less safe. An image or a package has to be built for the machine
# that it runs on.
set -eu
cd "$(dirname "$0")/../worker"

if [ copyout.so -nt copyout.c ]; then exit; fi
compiler=$(command -v "${CC:-cc}" || command -v gcc || true)
if [ -z "$compiler" ]; then
    echo "native: there is no C compiler; without it the worker uses more CPU for each row" >&2
    exit
fi
# To a file of its own first: a worker that runs may have the old one open.
if "$compiler" -O2 -Wall -Wextra -shared -fPIC -o "copyout.so.$$" copyout.c; then
    mv "copyout.so.$$" copyout.so
else
    echo "native: $compiler cannot compile worker/copyout.c; without it the worker uses more CPU for each row" >&2
fi
