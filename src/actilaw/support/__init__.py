"""What every room stands on: array types, validation of arguments, files written whole."""
