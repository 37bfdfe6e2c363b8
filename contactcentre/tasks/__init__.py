"""What may take long, away from the calls: the recorder writes facts to the history, Celery workers look
after recordings."""
