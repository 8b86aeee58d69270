"""`make bench`: speed, CPU and memory beside other ways to export the same tables; see docs/performance.md."""
