"""Chapter 8: what each part of the network contributes (Zeiler & Fergus 2013, §5.1, Tables 2 and 3)."""
