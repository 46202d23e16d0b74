"""One driver per generation of Together's API, behind one Protocol."""
