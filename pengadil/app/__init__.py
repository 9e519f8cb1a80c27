"""The page in the browser: judge, chat and rewrite, guard, review; on this machine only."""
