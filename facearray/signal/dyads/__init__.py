"""Two persons and how far they move together: who they are, what is compared, and tests of it."""
