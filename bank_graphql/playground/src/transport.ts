// How operations reach the bank: by POST, and subscriptions over a WebSocket or an event stream.

import { type DocumentNode, Kind, type OperationDefinitionNode } from "graphql";
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { ENDPOINT, ask, bearer, lowerCase } from "./session";

export type Transport = "websocket" | "events";
export type Request = { query: string; operationName?: string; variables: Record<string, unknown> };

/** The operations of a document; only the one with this name, if one is given. */
export function operations(document: DocumentNode | undefined, name?: string): OperationDefinitionNode[] {
  const all = (document?.definitions ?? []).filter((each) => each.kind === Kind.OPERATION_DEFINITION);
  return name ? all.filter((each) => each.name?.value === name) : all;
}

export const isSubscription = (document: DocumentNode | undefined, name?: string): boolean =>
  operations(document, name).some((each) => each.operation === "subscription");

/** The answers of a subscription. `return` ends it at once, and its connection with it. */
export function subscribe(transport: Transport, request: Request, given: Record<string, string> = {}): AsyncIterableIterator<any> {
  const headers = () => ({ ...bearer(), ...lowerCase(given) });
  const client =
    transport === "websocket"
      ? createSocketClient({ url: ENDPOINT.replace(/^http/, "ws"), connectionParams: headers })
      : createEventClient({ url: ENDPOINT, headers });
  const answers = client.iterate(request) as AsyncIterableIterator<any>;
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => answers.next(),
    return: async () => {
      await answers.return?.();
      await client.dispose();
      return { done: true, value: undefined };
    },
  };
}

export const send = ({ query, variables, operationName }: Request, headers: Record<string, string>) =>
  ask(query, variables, headers, operationName);
