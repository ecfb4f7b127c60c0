"""`python -m actilaw` is the command `actilaw`."""

from actilaw.cli.app import main

main()
