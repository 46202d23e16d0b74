"""The decision that ships, explored exhaustively against a modelled world (`make model`)."""
