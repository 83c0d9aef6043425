"""Chapter 13, beyond Zeiler & Fergus 2013: faults that are made on purpose, and what tells them."""
