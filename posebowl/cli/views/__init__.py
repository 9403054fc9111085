"""Tables and summaries for people; --json bypasses them."""
