"""Chapter 11: images made to maximise a unit or a map (after Erhan 2009, Simonyan 2014; not in the paper)."""
