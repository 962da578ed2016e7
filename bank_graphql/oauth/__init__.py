"""The bank as an OAuth 2.1 authorization server: registered clients of third parties act for users who have consented.

`clients` who they are · `requests` what they want of a user · `tokens` what they get for it · `dpop` proofs that a client holds
its key. A consent is an access grant (`accounts.grants`): what a client may do is enforced where that of every program is. The
endpoints are in `web.oauth`, its pages in `web.consent`.

Standards: OAuth 2.1 (draft), RFC 6749, 6750, 7009, 7636, 7662, 8414, 8707, 9068, 9126, 9207, 9449, 9700; OpenID Connect Core.
"""
