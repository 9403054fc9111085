"""Many submissions on many machines: plan -> run -> store -> merge -> leaderboard."""
