"""What flows play: sound files, texts and the voice that speaks them. For the controller, which plays them, and for the
pages and commands, which look after them."""
