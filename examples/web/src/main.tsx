// The online bank. `bank/` has what any front end of this API needs; `ui/` parts; `pages/` and `staff/` what one sees.

import { lazy, StrictMode, Suspense, useEffect, useState, useSyncExternalStore } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { onSession, session } from "./bank/session";
import "./i18n";
import { SignIn } from "./pages/sign-in";
import { Boundary } from "./ui/boundary";
import { Loading } from "./ui/parts";
import "./style.css";

// For whoever is signed in. Signing in needs no cache, no feed and no other page.
const Inside = lazy(() => import("./inside"));

function App() {
  const userId = useSyncExternalStore(onSession, () => session()?.user.id ?? null);
  const [wasSignedIn, setSignedIn] = useState(false);
  useEffect(() => {
    if (userId) setSignedIn(true);
  }, [userId]);
  return (
    <Router hook={useHashLocation}>
      {userId ? (
        <Suspense fallback={<main className="alone"><Loading /></main>}><Inside key={userId} userId={userId} /></Suspense>
      ) : (
        <SignIn hasEnded={wasSignedIn} />
      )}
    </Router>
  );
}

createRoot(document.getElementById("root") as HTMLElement).render(<StrictMode><Boundary><App /></Boundary></StrictMode>);
