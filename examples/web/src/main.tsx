// The online bank. `bank/` has what any front end of this API needs; `ui/` parts; `pages/` and `staff/` what one sees.

import { lazy, StrictMode, Suspense, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { Provider } from "urql";
import { Redirect, Route, Router, Switch } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { newClient } from "./bank/client";
import { onSession, session } from "./bank/session";
import "./i18n";
import { AccountPage } from "./pages/account";
import { Overview } from "./pages/overview";
import { SignIn } from "./pages/sign-in";
import { Loading } from "./ui/parts";
import { Shell } from "./ui/shell";
import "./style.css";

// What most visits do not need comes when it is needed.
const Pay = lazy(() => import("./pages/pay"));
const Orders = lazy(() => import("./pages/orders"));
const Payees = lazy(() => import("./pages/payees"));
const Cards = lazy(() => import("./pages/cards"));
const Settings = lazy(() => import("./pages/settings"));
const Desk = lazy(() => import("./staff/desk"));

function Pages() {
  return (
    <Suspense fallback={<Loading />}>
      <Switch>
        <Route path="/" component={Overview} />
        <Route path="/accounts/:id">{({ id }) => <AccountPage key={id} id={id} />}</Route>
        <Route path="/pay"><Pay /></Route>
        <Route path="/orders"><Orders /></Route>
        <Route path="/payees"><Payees /></Route>
        <Route path="/cards"><Cards /></Route>
        <Route path="/settings"><Settings /></Route>
        <Route path="/staff/*?"><Desk /></Route>
        <Route><Redirect to="/" /></Route>
      </Switch>
    </Suspense>
  );
}

function App() {
  const userId = useSyncExternalStore(onSession, () => session()?.user.id ?? null);
  // A cache is of one user: nobody sees what the one before has read.
  const client = useMemo(() => (userId ? newClient() : null), [userId]);
  const [wasSignedIn, setSignedIn] = useState(false);
  useEffect(() => {
    if (userId) setSignedIn(true);
  }, [userId]);
  return (
    <Router hook={useHashLocation}>
      {client ? (
        <Provider value={client}><Shell key={userId}><Pages /></Shell></Provider>
      ) : (
        <SignIn hasEnded={wasSignedIn} />
      )}
    </Router>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<StrictMode><App /></StrictMode>);
