"""What people look at: the page, its figures, and lines for a log."""
