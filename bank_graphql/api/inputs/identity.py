"""Who signs up or in."""

import strawberry


@strawberry.input(description="Who signs up.")
class SignUpInput:
    email: str = strawberry.field(description="The e-mail address to sign in with.")
    password: str = strawberry.field(description="8 to 256 characters, and not a common password.")
    full_name: str = strawberry.field(description="The name, at most 200 characters.")
    phone_number: str | None = strawberry.field(default=None, description="A phone number with its country code.")


@strawberry.input(description="Who signs in.")
class LogInInput:
    email: str = strawberry.field(description="The e-mail address.")
    password: str = strawberry.field(description="The password.")
