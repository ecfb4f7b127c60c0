"""The command `actilaw`: one file per group of commands."""
