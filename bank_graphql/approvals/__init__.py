"""Four eyes: what one member of staff proposes takes effect once another one has approved it.

A proposal is stored as it was made, and executed as its proposer, who must still be allowed to do it. What a proposed reversal
is to take back is reserved from the proposal on. A bank with nobody who could approve is not locked out: there one person is
enough.
"""
