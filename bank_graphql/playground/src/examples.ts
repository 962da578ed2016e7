// The example tabs. Each runs as it is, in this order; what it needs is filled in by the page (see fill.ts).

const NOTE = (...lines: string[]) => lines.map((line) => `# ${line}`).join("\n");

export const EXAMPLES: string[] = [
  `${NOTE(
    "Who am I, and what have I got? Sign in",
    "above first; then press ▶ (Ctrl-Enter).",
  )}
query Me {
  me {
    fullName
    accounts {
      nodes { id name number balance { booked { amount currency } available { amount } } }
    }
  }
}`,
  `${NOTE(
    "Become a customer. The page goes on as the",
    "new one, so skip this to stay who you are.",
    "$email is made up by this page; write one",
    "of your own into Variables if you like.",
  )}
mutation SignUp($email: String!) {
  signUp(input: { email: $email, password: "a long walk by the sea", fullName: "Vera Visitor" }) {
    __typename
    ... on AuthSession { accessToken refreshToken expiresAt user { email fullName } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Open an account with cash in it, as one",
    "may in a sandbox. $key is new for each",
    "request: the same key again would not open",
    "a second one.",
  )}
mutation OpenAccount($key: String!) {
  openAccount(input: { kind: CHECKING, currency: EUR, name: "Playing", openingDeposit: "500.00", idempotencyKey: $key }) {
    __typename
    ... on Account { id number balance { booked { amount } } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Pay cash in. $account is the account that",
    "you saw last.",
  )}
mutation Deposit($account: ID!, $key: String!) {
  deposit(input: { accountId: $account, amount: { amount: "25.00", currency: EUR }, idempotencyKey: $key }) {
    __typename
    ... on MoneyMoved { replayed transaction { id kind status amount { amount currency } } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Pay Grace, by her account number in the",
    "demo.",
  )}
mutation Transfer($account: ID!, $key: String!) {
  transfer(
    input: {
      fromAccountId: $account
      to: { accountNumber: "DE35 9999 9999 7439 6413 76" }
      amount: { amount: "12.50", currency: EUR }
      description: "Lunch"
      idempotencyKey: $key
    }
  ) {
    __typename
    ... on MoneyMoved { transaction { id reference status to { name accountNumber } } }
    ... on InsufficientFundsRejection { available { amount } required { amount } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Reserve money for Grace: a hold. It is in",
    "'held', and no money has moved. She may",
    "capture it; you cannot.",
  )}
mutation Hold($account: ID!, $key: String!) {
  placeHold(
    input: {
      accountId: $account
      to: { accountNumber: "DE35 9999 9999 7439 6413 76" }
      amount: { amount: "20.00", currency: EUR }
      idempotencyKey: $key
    }
  ) {
    __typename
    ... on MoneyMoved { transaction { id kind status amount { amount } capturedAmount { amount } } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Get a card with a limit for a day.",
  )}
mutation IssueCard($account: ID!, $key: String!) {
  issueCard(
    input: { accountId: $account, limits: [{ window: DAY, amount: { amount: "60.00", currency: EUR } }], idempotencyKey: $key }
  ) {
    __typename
    ... on Card { id last4 status expiryMonth expiryYear limits { window amount { amount } remaining { amount } } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Play a restaurant, as a card's owner may",
    "in a sandbox: ask the card for 40.00. Run",
    "it twice: the limit holds.",
  )}
mutation Authorize($card: ID!, $key: String!) {
  authorizeCard(
    input: {
      cardId: $card
      amount: { amount: "40.00", currency: EUR }
      merchant: { name: "Café Central", categoryCode: "5812", country: "AT" }
      idempotencyKey: $key
    }
  ) {
    __typename
    ... on MoneyMoved {
      transaction { __typename id kind status expiresAt card { limits { window spent { amount } remaining { amount } } } }
    }
    ... on LimitExceededRejection { limit { window spent { amount } remaining { amount } } }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Take the money, and two euros for the",
    "waiter. $hold is the one of the tab",
    "before.",
  )}
mutation Capture($hold: ID!, $key: String!) {
  captureHold(input: { transactionId: $hold, amount: { amount: "42.00", currency: EUR }, idempotencyKey: $key }) {
    __typename
    ... on MoneyMoved { transaction { __typename id kind status amount { amount } merchant { name } } }
    ... on StateConflictRejection { conflict state }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "The soup was cold: a refund in part. The",
    "card's limit gets it back.",
  )}
mutation Refund($payment: ID!, $key: String!) {
  refundCardPayment(transactionId: $payment, amount: { amount: "10.00", currency: EUR }, idempotencyKey: $key) {
    __typename
    ... on MoneyMoved {
      transaction { id kind amount { amount } from { name } card { limits { window spent { amount } remaining { amount } } } }
    }
    ... on StateConflictRejection { conflict state }
    ... on Rejection { message }
  }
}`,
  `${NOTE(
    "Everything that happens, live. Leave it",
    "running, and run 'Transfer' in another",
    "window; or open the bell on the left: it",
    "shows the feed beside whatever tab you are",
    "in.",
  )}
subscription Feed {
  transactionFeed {
    cursor
    kind
    account { name }
    transaction { id kind status amount { amount currency } description to { name } }
  }
}`,
];
