"""Back-tests: forecasts from the first part of a recording, scored on the rest."""
