"""Who is who in a workspace, which role somebody has, what they may do, and what waits for them."""
