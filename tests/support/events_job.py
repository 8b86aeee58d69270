"""The job of `public.events`, a window a day; a test fills in the end of its blobs' names, and its output."""

EVENTS = """
[[job]]
name = "events"
schema = "public"
table = "events"
blob = "events/{window_start:%Y/%m/%d}SUFFIX"
[job.window]
column = "at"
type = "timestamptz"
every = "1 day"
closed = "delay"
[job.output]
OUTPUT
"""
