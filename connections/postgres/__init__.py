"""How a process reaches PostgreSQL: libpq's parameters, tokens as passwords, root certificates, what errors mean."""
