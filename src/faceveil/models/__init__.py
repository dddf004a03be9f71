"""Networks: those of this installation, made by the build hook, and those that a user has added.

`store` reads them, `catalogue` knows names, sums and licences, `add` puts models into the store. Nothing is fetched
but by `add`, on a user's explicit command.
"""
