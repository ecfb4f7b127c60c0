"""What tests are made of: drawn counts, exact answers, small networks, the command line."""
