"""Networks of the kinds that people count units in, trained on data that packages ship."""
