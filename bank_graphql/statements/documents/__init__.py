"""Documents about the entries of an account in a period: statements, and exports of any period.

`content` what they show: for a statement with the names of when it was issued, for an export with those of today · `csv`,
`camt053` and `pdf` write it, part by part, so that memory stays bounded however many entries there are (`pages` lays out PDFs,
`fonts` shows texts in any script) · `labels` words for people · `paths` where documents are.
"""
