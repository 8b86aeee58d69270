"""The HTTP API: `app` puts it together, `guard` says who may call it, `reading` and `acting` are its calls."""
