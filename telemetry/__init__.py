"""What a running process says about itself: log events, spans, metrics.

`events` logs, with the fields that `fields` keeps for the delivery under way; `traces` and `metrics` are what
producer and worker call. No OpenTelemetry package is imported unless the environment names somewhere to send to.
"""
