"""A site on FreeSWITCH: the same plan and apply, with XML where FreeSWITCH's own configuration looks for it."""
