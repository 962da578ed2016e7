"""Mails to users: stored with what they are about, in one transaction, and sent afterwards.

A mail that cannot be sent now is tried again for a day. So nothing waits for the mail server, and no mail is lost with a process.
"""
