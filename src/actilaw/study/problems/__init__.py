"""The tasks that a study has built in; none needs a download. Importing them loads torch."""
