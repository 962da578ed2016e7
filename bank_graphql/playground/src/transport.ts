// How operations reach the bank: by POST, and subscriptions over a WebSocket or an event stream.

import { type DocumentNode, Kind } from "graphql";
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import { ask, bearer } from "./session";

export type Transport = "websocket" | "events";
export type Request = { query: string; operationName?: string | null; variables: Record<string, unknown> };

export function isSubscription(document: DocumentNode | undefined, name: string | null | undefined): boolean {
  return (document?.definitions ?? []).some(
    (definition) =>
      definition.kind === Kind.OPERATION_DEFINITION &&
      definition.operation === "subscription" &&
      (!name || definition.name?.value === name),
  );
}

export async function* subscribe(transport: Transport, request: Request): AsyncGenerator<any> {
  const payload = { ...request, operationName: request.operationName ?? undefined };
  const client =
    transport === "websocket"
      ? createSocketClient({ url: `${location.origin.replace(/^http/, "ws")}/graphql`, connectionParams: bearer })
      : createEventClient({ url: "/graphql", headers: bearer });
  try {
    yield* client.iterate(payload) as AsyncIterable<any>;
  } finally {
    void client.dispose();
  }
}

export const send = (request: Request, headers: Record<string, string>) =>
  ask(request.query, request.variables, headers);
