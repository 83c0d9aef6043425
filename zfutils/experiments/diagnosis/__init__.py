"""Chapter 13: faults of training that are made on purpose, and what tells them (beyond Zeiler & Fergus 2013)."""
