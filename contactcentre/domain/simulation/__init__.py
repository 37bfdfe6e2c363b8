"""What a site would do with given callers and agents, in virtual time: `distributions` (how long things last),
`arrivals` (who calls when), `people` (who works when), `world` (one run), `study` (many runs), `report` (numbers with
their confidence, and how two sites differ)."""
