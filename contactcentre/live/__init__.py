"""Who is where now, in Redis: agents, waiting contacts, offers, and the streams that carry facts, commands and replies."""
