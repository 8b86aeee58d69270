"""Finds out whether a deployment has what it needs: grants, their audit, and the checks of `tailrace doctor`."""

# What other rooms may import; tests/unit/architecture holds them to it.
FACE = ("audit", "examine", "functions", "grants", "query_reads", "reads", "report", "session")
