"""Reports: what came out, for the eye. They read series sets and scores and know nothing of models."""
