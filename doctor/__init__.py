"""What a deployment needs and whether it has it: grants, their audit, and the checks of `tailrace doctor`."""
