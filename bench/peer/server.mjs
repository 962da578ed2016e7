// PostGraphile 5 over the bank's tables, as its makers recommend for production.
import { createServer } from "node:http";
import pg from "pg";
import { grafserv } from "postgraphile/grafserv/node";
import { postgraphile } from "postgraphile";
import { TYPES } from "postgraphile/@dataplan/pg";
import { makePgService } from "postgraphile/adaptors/pg";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { jsonPgSmartTags } from "postgraphile/utils";

const flag = (name, fallback) => (process.env[name] ?? fallback) === "1";
const size = Number(process.env.POOL_SIZE ?? 10);
const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: size,
  min: size,
  idleTimeoutMillis: 0,
});
pool.on("error", (error) => console.error(error));
pool.on("connect", (client) => client.on("error", (error) => console.error(error)));

const tags = jsonPgSmartTags({
  version: 1,
  config: {
    class: {
      // Transactions refer to balances; the same key is an account's, unless it is the bank's own. Entries are held by a trigger.
      "public.entries": {
        tags: {
          foreignKey: [
            "(account_id) references public.accounts (id)|@fieldName account|@foreignFieldName entries|@foreignSimpleFieldName entriesList|@behavior +list",
            "(transaction_id) references public.transactions (id)|@fieldName transaction",
          ],
        },
      },
      "public.transactions": {
        tags: {
          foreignKey: [
            "(from_account_id) references public.accounts (id)|@fieldName fromAccount",
            "(to_account_id) references public.accounts (id)|@fieldName toAccount",
          ],
        },
      },
      "public.accounts": { tags: { behavior: "+query:resource:list" } },
      "bench.history": {
        tags: {
          primaryKey: "id",
          foreignKey:
            "(account_id) references public.accounts (id)|@fieldName account|@foreignFieldName history|@foreignSimpleFieldName historyList|@behavior +select +list +connection +single",
        },
      },
    },
    constraint: {
      "public.accounts.fk_accounts_owner_id": { tags: { behavior: "+list", foreignFieldName: "accounts", foreignSimpleFieldName: "accountsList", fieldName: "owner" } },
      "public.accounts.fk_accounts_id": { tags: { fieldName: "balance" } },
      "public.transaction_notes.fk_transaction_notes_transaction_id": { tags: { foreignFieldName: "note" } },
    },
    procedure: {
      "public.feed_epoch": { tags: { behavior: "-*" } }, // its name is that of a table's accessor
    },
  },
});

// PostgreSQL's transaction ids, which are in the key of the feed's events.
const transactionIds = {
  name: "TransactionIdsPlugin",
  version: "1.0.0",
  gather: {
    hooks: {
      async pgCodecs_findPgCodec(_, event) {
        if (event.pgType.typname === "xid8") event.pgCodec ??= TYPES.bigint;
      },
    },
  },
};

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [tags, transactionIds],
  pgServices: [makePgService({ pool, schemas: ["public", "bench"], pubsub: false })],
  schema: { dontSwallowErrors: true },
  grafast: { explain: false },
  grafserv: {
    graphqlPath: "/graphql",
    graphiql: false,
    watch: false,
    websockets: false,
    outputDataAsString: flag("OUTPUT_AS_STRING", "0"),
  },
};

const serv = postgraphile(preset).createServ(grafserv);
const server = createServer();
server.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
await serv.addTo(server);
await serv.ready();
await serv.getSchema(); // introspects the database; without this the first requests wait for it
if (process.env.PRINT_SCHEMA) {
  const { printSchema } = await import("graphql");
  console.log(printSchema(await serv.getSchema()));
  process.exit(0);
}
server.listen(Number(process.env.PORT ?? 5678), "127.0.0.1", () => {
  console.log(`PostGraphile ${process.version} pid ${process.pid} at http://127.0.0.1:${server.address().port}/graphql`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    void pool.end();
  });
}
