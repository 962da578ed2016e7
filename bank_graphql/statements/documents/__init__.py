"""Documents about the entries of an account in a period: statements, and exports of any period.

`content` what they show, as it was when a statement was issued · `csv`, `camt053` and `pdf` write it, part by part, so that
memory stays bounded however many entries there are · `labels` words for people.
"""
