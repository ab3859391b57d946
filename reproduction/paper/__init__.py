"""The printed tables, and what arithmetic says of them."""
