"""The documents that the tools of agents send. A bank that executes trusted documents alone trusts these."""

import hashlib

_MONEY = "{ amount currency }"
_PAGE = "pageInfo { hasNextPage endCursor }"
_APPROVAL = f"id status reason expiresAt amount {_MONEY} payeeName payeeNumber transaction {{ id status }}"
_MOVED = f"""
    __typename
    ... on MoneyMoved {{ replayed transaction {{ id status amount {_MONEY} reference }} }}
    ... on MoneyPreview {{ amount {_MONEY} fromAvailableAfter {_MONEY} fee {_MONEY} settlesOn }}
    ... on ApprovalRequiredRejection {{ approval {{ {_APPROVAL} }} }}
    ... on InsufficientFundsRejection {{ available {_MONEY} required {_MONEY} }}
    ... on ValidationRejection {{ fields {{ path code message }} }}
    ... on StateConflictRejection {{ conflict state }}
    ... on Rejection {{ message }}
"""
ACCOUNTS = f"""query AgentAccounts($first: Int!, $after: String) {{
    accounts(first: $first, after: $after) {{
        nodes {{
            id number name kind currency status holderNames
            balance {{ booked {_MONEY} held {_MONEY} available {_MONEY} }}
        }}
        {_PAGE}
    }}
    accessGrant {{ name scopes payees dailyLimit {_MONEY} approvalAbove {_MONEY} expiresAt }}
}}"""
ENTRIES = f"""query AgentEntries($account: ID!, $first: Int!, $after: String) {{
    account(id: $account) {{
        entries(first: $first, after: $after) {{
            nodes {{
                id bookedAt direction amount {_MONEY} balanceAfter {_MONEY}
                counterparty {{ name accountNumber }}
                transaction {{ id kind status description reference }}
            }}
            {_PAGE}
        }}
    }}
}}"""
STATEMENTS = f"""query AgentStatements($account: ID!, $first: Int!, $after: String) {{
    account(id: $account) {{
        statements(first: $first, after: $after) {{
            nodes {{ id number from to openingBalance {_MONEY} closingBalance {_MONEY} entryCount pdfUrl csvUrl }}
            {_PAGE}
        }}
    }}
}}"""
TRANSFER = f"mutation AgentTransfer($input: TransferInput!) {{ transfer(input: $input) {{ {_MOVED} }} }}"
APPROVAL = f"query AgentApproval($id: ID!) {{ node(id: $id) {{ __typename ... on Approval {{ {_APPROVAL} }} }} }}"
GRANT = "query AgentGrant { accessGrant { id } }"
DOCUMENTS = (GRANT, ACCOUNTS, ENTRIES, STATEMENTS, TRANSFER, APPROVAL)


def manifest() -> dict[str, str]:
    """Return the documents by their ids: the SHA-256 of each, in hexadecimal digits."""
    return {hashlib.sha256(each.encode()).hexdigest(): each for each in DOCUMENTS}
