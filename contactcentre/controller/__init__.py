"""One process per node: adopts calls, walks flows, makes offers, connects, records, recovers.

`service` starts and stops the parts, `node` is what every part shares, `contact` is one customer's greenlet,
`conduct` walks its flow, `queueing`, `offers` and `talk` are its life with agents, `router` decides for all,
`reconcile` takes back what lives on the PBX after a restart or a lost link.
"""
