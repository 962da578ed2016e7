// How operations reach the bank: by POST, and subscriptions over a WebSocket or an event stream.

import { type DocumentNode, Kind, type OperationDefinitionNode } from "graphql";
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { ask, bearer } from "./session";

export type Transport = "websocket" | "events";
export type Request = { query: string; operationName?: string; variables: Record<string, unknown> };

/** The operations of a document; only the one with this name, if one is given. */
export function operations(document: DocumentNode | undefined, name?: string): OperationDefinitionNode[] {
  const all = (document?.definitions ?? []).filter((each) => each.kind === Kind.OPERATION_DEFINITION);
  return name ? all.filter((each) => each.name?.value === name) : all;
}

export const isSubscription = (document: DocumentNode | undefined, name?: string): boolean =>
  operations(document, name).some((each) => each.operation === "subscription");

export async function* subscribe(transport: Transport, request: Request): AsyncGenerator<any> {
  const client =
    transport === "websocket"
      ? createSocketClient({ url: `${location.origin.replace(/^http/, "ws")}/graphql`, connectionParams: bearer })
      : createEventClient({ url: "/graphql", headers: bearer });
  try {
    yield* client.iterate(request) as AsyncIterable<any>;
  } finally {
    void client.dispose();
  }
}

export const send = ({ query, variables, operationName }: Request, headers: Record<string, string>) =>
  ask(query, variables, headers, operationName);
