"""One instrument's hot half: frame in, order text out."""
