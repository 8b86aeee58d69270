"""`make bench`: speed, CPU and memory beside other ways to export the same tables; docs/explanation/performance.md."""

FACE = ()
