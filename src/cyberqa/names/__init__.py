"""Other names of things: mined from the corpus, given by the user, shipped; and a question asked again with them."""
