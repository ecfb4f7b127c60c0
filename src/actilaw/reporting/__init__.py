"""What people look at: the page with its figures, lines for a log, and numbers as text."""
