"""Four eyes: what one member of staff proposes takes effect once another one has approved it.

A proposal is stored as it was made, and executed as its proposer, who must still be allowed to do it. The money that a
proposed reversal is to debit is held from the proposal on. A bank with nobody who could approve is not locked out: there one
person is enough.
"""
