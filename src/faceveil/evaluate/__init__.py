"""How good a detector is on labelled pictures: measuring, choosing a threshold, and a report that can be shown.

Every figure comes with its interval. Pictures are what is drawn anew, not faces: faces of one picture are alike.
"""
