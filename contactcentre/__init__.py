"""A contact centre on the PBX you already have."""
