// A long list, page by page: older ones as one scrolls, newer ones as they happen.

import { useCallback, useEffect, useRef, useState } from "react";
import type { TypedDocumentNode } from "urql";
import { useBank } from "./bank";

type Connection<Node> = {
  nodes: Node[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor?: string | null; endCursor?: string | null };
};
type Paging = { first?: number | null; after?: string | null; last?: number | null; before?: string | null };
type List<Node> = { nodes: Node[]; start: string | null; end: string | null; hasMore: boolean };

const [PAGE, MOST_NEWER] = [25, 50];

/**
 * Read a connection whose newest nodes come first.
 * `given` are the variables without those of paging; `pick` finds the connection in the data.
 */
export function usePaged<Data, Variables extends Paging, Node extends { id: string }>(
  document: TypedDocumentNode<Data, Variables>,
  given: Omit<Variables, keyof Paging>,
  pick: (data: Data) => Connection<Node> | null | undefined,
) {
  const { plain: client } = useBank();
  const [list, setList] = useState<List<Node> | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [hasFailed, setFailed] = useState(false);
  const latest = useRef({ given, pick, run: 0 });
  Object.assign(latest.current, { given, pick });
  const start = useRef<string | null>(null);

  const read = useCallback(
    async (paging: Paging): Promise<Connection<Node> | null> => {
      const run = latest.current.run;
      setBusy(true);
      const variables = { ...latest.current.given, ...paging } as Variables;
      const { data, error } = await client.query<Data, any>(document, variables, { requestPolicy: "network-only" }).toPromise();
      if (run !== latest.current.run) return null; // of a list that is not shown any more
      setBusy(false);
      const found = data && latest.current.pick(data);
      setFailed(!found || error !== undefined);
      return found ?? null;
    },
    [client, document],
  );
  const reload = useCallback(async () => {
    latest.current.run++;
    const found = await read({ first: PAGE });
    if (!found) return;
    start.current = edges(found).start;
    setList({ nodes: found.nodes, ...edges(found), hasMore: found.pageInfo.hasNextPage });
  }, [read]);
  const more = useCallback(async () => {
    if (!list?.end) return;
    const found = await read({ first: PAGE, after: list.end });
    if (found) setList({ nodes: merged(list.nodes, found.nodes), start: list.start, end: edges(found).end ?? list.end, hasMore: found.pageInfo.hasNextPage });
  }, [read, list]);
  // One at a time: what happens while newer ones are read is read right after.
  const reading = useRef({ is: false, again: false });
  const newer = useCallback(async () => {
    const state = reading.current;
    state.again = true;
    if (state.is) return;
    state.is = true;
    while (state.again) {
      state.again = false;
      const found = start.current ? await read({ last: MOST_NEWER, before: start.current }) : null;
      if (!found || found.pageInfo.hasPreviousPage) await reload(); // there were none, or there are too many
      else {
        start.current = edges(found).start ?? start.current;
        setList((now) => now && { ...now, nodes: merged(found.nodes, now.nodes), start: edges(found).start ?? now.start });
      }
    }
    state.is = false;
  }, [read, reload]);

  const key = JSON.stringify(given);
  useEffect(() => {
    setList(null);
    void reload();
    return () => void latest.current.run++;
  }, [key, reload]);
  return { nodes: list?.nodes ?? null, hasMore: list?.hasMore ?? false, isBusy, hasFailed, reload, more, newer };
}

const edges = ({ pageInfo }: Connection<unknown>) => ({ start: pageInfo.startCursor ?? null, end: pageInfo.endCursor ?? null });

/** Both lists, each node once. */
const merged = <Node extends { id: string }>(first: Node[], second: Node[]): Node[] => [
  ...new Map([...first, ...second].map((node) => [node.id, node])).values(),
];
