"""Networks: those of this installation, made by the build hook, and those that a user has added.

What a user adds lies in one folder, as NAME/FILE; see `store`.
"""
