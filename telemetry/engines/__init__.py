"""Spans and metrics by OpenTelemetry. Imported only if the environment names somewhere to send them."""
