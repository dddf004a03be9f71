"""How often people are still named behind a method, as attackers would try: evidence first, then measures.

`people` says whom pictures show, `run` paints them in every way and notes what each recogniser makes of them; the rest
of the folder measures that. Everything here is biometric data of the people in the pictures, but for the measures.
"""
