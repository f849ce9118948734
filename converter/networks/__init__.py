"""Networks of other people: identified, checked, loaded, measured."""
