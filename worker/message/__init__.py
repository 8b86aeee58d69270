"""One delivery → one settlement: handled, judged, reported, settled."""
