/* What a compiled library was made from; worker/native/targets.py has the same. */
#ifndef TAILRACE_BUILD
#error "compile with python -m worker.native.build"
#endif

const char *tailrace_build(void) { return TAILRACE_BUILD; }
