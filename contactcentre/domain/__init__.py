"""The rules of a contact centre, pure: no I/O, no clock, no gevent. Time comes in as an argument (epoch seconds, UTC)."""
