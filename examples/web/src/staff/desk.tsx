// The staff desk: customers and their accounts, proposals, the audit, the ledger. Each role gets what the API lets it.

import { Link, Redirect, Route, Switch, useRoute } from "wouter";
import { useBank } from "../ui/bank";
import { useLocale } from "../ui/locale";
import { STAFF } from "../ui/shell";
import { DeskAccount } from "./account";
import { Approvals } from "./approvals";
import { Audit } from "./audit";
import { Ledger } from "./ledger";
import { DeskUser } from "./user";
import { Users } from "./users";

/** What roles may do. The bank decides; this only leaves out what it would refuse. */
export function useRights() {
  const { role } = useBank().viewer;
  const isAdmin = role === "ADMIN";
  return { actsOnAccounts: isAdmin || role === "TELLER", administers: isAdmin, reads: isAdmin || role === "AUDITOR" };
}

export default function Desk() {
  const { t } = useLocale();
  const { viewer } = useBank();
  const { reads } = useRights();
  if (!STAFF.has(viewer.role)) return <Redirect to="/" />;
  return (
    <>
      <nav className="tabs" aria-label={t("staff.label")}>
        <Tab to="/staff">{t("staff.users")}</Tab>
        <Tab to="/staff/approvals">{t("staff.approvals")}</Tab>
        {reads && <Tab to="/staff/audit">{t("staff.audit")}</Tab>}
        {reads && <Tab to="/staff/ledger">{t("staff.ledger")}</Tab>}
      </nav>
      <Switch>
        <Route path="/staff" component={Users} />
        <Route path="/staff/users/:id">{({ id }) => <DeskUser key={id} id={id} />}</Route>
        <Route path="/staff/accounts/:id">{({ id }) => <DeskAccount key={id} id={id} />}</Route>
        <Route path="/staff/approvals" component={Approvals} />
        <Route path="/staff/audit" component={Audit} />
        <Route path="/staff/ledger" component={Ledger} />
        <Route><Redirect to="/staff" /></Route>
      </Switch>
    </>
  );
}

function Tab({ to, children }: { to: string; children: string }) {
  const [isHere] = useRoute(to);
  return <Link href={to} aria-current={isHere ? "page" : undefined}>{children}</Link>;
}
