"""`python -m actilaw` is the command `actilaw`."""

from actilaw.cli import main

main()
