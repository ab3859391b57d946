"""The claims of the paper, their rules and what records say of them."""
