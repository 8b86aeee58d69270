"""Checks of the Bicep templates that need neither Azure nor the Bicep compiler: `python -m deploy.template`."""
