"""The study: its editions, claims, records and pages; the only room that knows where things lie."""
