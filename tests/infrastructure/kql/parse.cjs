// Reads queries as JSON, an object of texts by name, and writes what is wrong with each by the tables that Azure has.
require('@kusto/language-service-next/bridge.min.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.min.js');
const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language;

// The columns of console logs of container apps, as Azure documents them.
const columns = `(TimeGenerated: datetime, Log_s: string, Stream_s: string, ContainerAppName_s: string, ContainerName_s: string,
  ContainerImage_s: string, ContainerGroupName_s: string, ContainerGroupId_g: string, ContainerId_s: string, ContainerJobName_s: string,
  EnvironmentName_s: string, RevisionName_s: string, ReplicaName_s: string, Category: string, Level: string, Type: string)`;
const table = Symbols.TableSymbol.From(columns).WithName('ContainerAppConsoleLogs_CL');
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('logs', [table]));

const problems = (text) => {
  const found = KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, n) => found.getItem(n).Message);
};
let input = '';
process.stdin.on('data', (more) => (input += more));
process.stdin.on('end', () => {
  const found = Object.entries(JSON.parse(input)).map(([name, text]) => [name, problems(text)]);
  console.log(JSON.stringify(Object.fromEntries(found)));
});
