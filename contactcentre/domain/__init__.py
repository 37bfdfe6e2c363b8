"""The rules of a contact centre, pure: no I/O, no clock, no gevent. Time is an argument (epoch seconds, UTC)."""
