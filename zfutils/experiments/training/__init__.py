"""Chapter 2: how the networks train, and how fast (Zeiler & Fergus 2013, §3)."""
