"""Chapter 12: what pooling does, beyond Zeiler & Fergus 2013 (Scherer 2010; Boureau 2010; Zhang 2019)."""
