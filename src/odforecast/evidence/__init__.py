"""The ladder of evidence: what the data can and cannot say about an effect."""
