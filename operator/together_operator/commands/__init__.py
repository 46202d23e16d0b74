"""The commands that a person runs beside the operator, one module each."""
