"""What a PBX can do, said once for Asterisk and FreeSWITCH: `protocol` (verbs), `events` (typed facts), `errors`."""
