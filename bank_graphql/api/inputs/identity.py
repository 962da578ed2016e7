"""The inputs of `signUp` and `logIn`, and the answers of devices with passkeys."""

import strawberry

from bank_graphql.identity.passkeys import PasskeyAnswer


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


@strawberry.input(description="What a device with a passkey answered.")
class PasskeyAnswerInput:
    challenge_token: str = strawberry.field(description="The token of the challenge that it answers.")
    credential: str = strawberry.field(description="The credential in JSON: `JSON.stringify(credential)` in a browser.")

    @property
    def answer(self) -> PasskeyAnswer:
        """The answer, as the rooms take it."""
        return PasskeyAnswer(self.challenge_token, self.credential)
