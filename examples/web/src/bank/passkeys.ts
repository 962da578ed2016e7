// Passkeys, by the browser's own conversion to and from JSON.

import { graphql } from "../gql";
import type { PasskeyAnswerInput } from "../gql/graphql";
import { post } from "./post";

const REQUEST = graphql(`
  mutation RequestPasskeyLogIn { requestPasskeyLogIn { ... on PasskeyChallenge { options challengeToken } ... on Rejection { message } } }
`);

export const hasPasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && "parseRequestOptionsFromJSON" in PublicKeyCredential;

/** Have a device answer for one of its passkeys. Throws if its user would rather not. */
export async function answerPasskey(): Promise<PasskeyAnswerInput> {
  const { requestPasskeyLogIn: challenge } = await post(REQUEST, {});
  if (!("options" in challenge)) throw new Error(challenge.message);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(challenge.options));
  const credential = await navigator.credentials.get({ publicKey });
  return { challengeToken: challenge.challengeToken, credential: JSON.stringify(credential) };
}

/** Have a device make a passkey, as the answer to a challenge of `requestPasskey`. */
export async function makePasskey(challenge: { options: string; challengeToken: string }): Promise<PasskeyAnswerInput> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(challenge.options));
  const credential = await navigator.credentials.create({ publicKey });
  return { challengeToken: challenge.challengeToken, credential: JSON.stringify(credential) };
}
