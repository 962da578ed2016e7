// Audits a server for GraphQL over HTTP, with npm's graphql-http. Each audit must pass, without a warning.
import { serverAudits } from "graphql-http";

const url = process.argv[2];
let failed = 0;
const audits = serverAudits({ url, fetchFn: fetch });
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== "ok") {
    failed += 1;
    console.log(`${result.status}: ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
console.log(`${audits.length - failed} of ${audits.length} audits are ok.`);
process.exit(failed ? 1 : 0);
