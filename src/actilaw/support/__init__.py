"""What every room stands on: array types, validation of arguments, small numerics, whole files."""
