// The pages for one user who is signed in.

import { lazy, Suspense, useState } from "react";
import { Provider } from "urql";
import { Redirect, Route, Switch } from "wouter";
import { newClient } from "./bank/client";
import { AccountPage } from "./pages/account";
import { Overview } from "./pages/overview";
import { Loading } from "./ui/parts";
import { Shell } from "./ui/shell";

// What most visits do not need comes when it is needed.
const Pay = lazy(() => import("./pages/pay"));
const Orders = lazy(() => import("./pages/orders"));
const Payees = lazy(() => import("./pages/payees"));
const Cards = lazy(() => import("./pages/cards"));
const Settings = lazy(() => import("./pages/settings"));
const Desk = lazy(() => import("./staff/desk"));

export default function Inside({ userId }: { userId: string }) {
  // A cache is of one user: nobody sees what the one before has read.
  const [client] = useState(() => newClient(userId));
  return (
    <Provider value={client}>
      <Shell>
        <Suspense fallback={<Loading />}>
          <Switch>
            <Route path="/" component={Overview} />
            <Route path="/accounts/:id">{({ id }) => <AccountPage key={id} id={id} />}</Route>
            <Route path="/pay/:what?/:id?">{({ what, id }) => <Pay key={`${what}/${id}`} what={what} id={id} />}</Route>
            <Route path="/orders"><Orders /></Route>
            <Route path="/payees"><Payees /></Route>
            <Route path="/cards"><Cards /></Route>
            <Route path="/settings"><Settings /></Route>
            <Route path="/staff/*?"><Desk /></Route>
            <Route><Redirect to="/" /></Route>
          </Switch>
        </Suspense>
      </Shell>
    </Provider>
  );
}
