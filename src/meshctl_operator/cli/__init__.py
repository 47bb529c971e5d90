"""The command line ``meshctl``: one module per verb, heavy imports inside the verb that needs them."""
