// The whole flow with openid-client: discovery, a pushed request, PKCE, DPoP, refresh, userinfo, introspection, revocation.
//
// node flow.js ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI: prints the address that a browser is to open, reads the address that it
// returns to, and prints what it got, each as a line of JSON.
import { createInterface } from 'node:readline/promises'
import * as client from 'openid-client'

const [issuer, clientId, secret, redirectUri] = process.argv.slice(2)
const say = (found) => console.log(JSON.stringify(found))

const config = await client.discovery(new URL(issuer), clientId, secret, client.ClientSecretBasic(secret), {
  execute: [client.allowInsecureRequests],
})
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const nonce = client.randomNonce()
const url = await client.buildAuthorizationUrlWithPAR(
  config,
  {
    redirect_uri: redirectUri,
    scope: 'openid profile accounts:read',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource: issuer,
    state,
    nonce,
  },
  { DPoP },
)
say({ open: url.href })
const lines = createInterface({ input: process.stdin })
const back = new URL((await lines[Symbol.asyncIterator]().next()).value)
const first = await client.authorizationCodeGrant(
  config,
  back,
  { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true },
  undefined,
  { DPoP },
)
const second = await client.refreshTokenGrant(config, first.refresh_token, undefined, { DPoP })
const user = await client.fetchUserInfo(config, second.access_token, first.claims().sub, { DPoP })
const query = async () => {
  const answer = await client.fetchProtectedResource(
    config,
    second.access_token,
    new URL(`${issuer}/graphql`),
    'POST',
    JSON.stringify({ query: '{ accounts(first: 5) { nodes { name } } me { fullName } }' }),
    new Headers({ 'content-type': 'application/json' }),
    { DPoP },
  )
  return answer.json()
}
const data = await query()
const known = await client.tokenIntrospection(config, second.access_token)
await client.tokenRevocation(config, second.refresh_token)
say({ type: second.token_type, claims: first.claims(), user, data, known, after: await query().catch((error) => error.cause[0].parameters.error) })
process.exit(0)
