"""The inputs of `signUp` and `logIn`."""

import strawberry


@strawberry.input(description="The customer to create.")
class SignUpInput:
    email: str = strawberry.field(description="The e-mail address to sign in with.")
    password: str = strawberry.field(description="8 to 256 characters, and not easy to guess.")
    full_name: str = strawberry.field(description="The full name, at most 200 characters. Others see it on transactions.")
    phone_number: str | None = strawberry.field(
        default=None, description="A phone number with its country code, e.g. +49 30 901820."
    )


@strawberry.input(description="The credentials of a user.")
class LogInInput:
    email: str = strawberry.field(description="The e-mail address.")
    password: str = strawberry.field(description="The password.")
