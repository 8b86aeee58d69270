"""The contenders, a module for each kind; importing one registers what it holds."""
