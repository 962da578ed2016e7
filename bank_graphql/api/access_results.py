"""The results of mutations about members of accounts and programs: unions of a success and the rejections that are possible."""

from typing import Annotated

import strawberry

from bank_graphql.accounts.grant_statements import GrantRow
from bank_graphql.api.errors import (
    CurrencyMismatchRejection,
    ForbiddenRejection,
    NotFoundRejection,
    StateConflictRejection,
    StepUpRequiredRejection,
    ValidationRejection,
)
from bank_graphql.api.results import GROWS, Done
from bank_graphql.api.types.grants import AccessGrant
from bank_graphql.api.types.members import Membership

MembershipResult = Annotated[
    Membership
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | CurrencyMismatchRejection
    | StateConflictRejection
    | StepUpRequiredRejection,
    strawberry.union("MembershipResult", description=f"The membership, or a rejection. {GROWS}"),
]
AcceptMembershipResult = Annotated[
    Membership | NotFoundRejection | ForbiddenRejection | ValidationRejection | StateConflictRejection,
    strawberry.union("AcceptMembershipResult", description=f"The membership, or a rejection. {GROWS}"),
]
EndMembershipResult = Annotated[
    Done | NotFoundRejection | ForbiddenRejection,
    strawberry.union("EndMembershipResult", description=f"Success, or a rejection. {GROWS}"),
]


@strawberry.type(description="A program's token. Keep it secret: it is not shown again.")
class NewAccessGrant:
    token: str = strawberry.field(description="Send it as `Authorization: Bearer …`.")
    grant: GrantRow = strawberry.field(description="What the program may do.", graphql_type=AccessGrant)


CreateAccessGrantResult = Annotated[
    NewAccessGrant
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | CurrencyMismatchRejection
    | StepUpRequiredRejection,
    strawberry.union("CreateAccessGrantResult", description=f"The grant and its token, or a rejection. {GROWS}"),
]
RotateAccessGrantResult = Annotated[
    NewAccessGrant | NotFoundRejection | ValidationRejection | StepUpRequiredRejection,
    strawberry.union("RotateAccessGrantResult", description=f"The grant and its new token, or a rejection. {GROWS}"),
]
RevokeAccessGrantResult = Annotated[
    Done | NotFoundRejection,
    strawberry.union("RevokeAccessGrantResult", description=f"Success, or a rejection. {GROWS}"),
]
