import { Navigate, useLocation } from "react-router";
import type { ReactNode } from "react";

import { useAuthStatus } from "./queries";
import { AuthError } from "./SetupPage";

/** Sends whoever is not signed in to the page that mends this. */
export function RequireSession({ children }: { children: ReactNode }) {
  const { data: status, error, refetch } = useAuthStatus();
  const { pathname, search, hash } = useLocation();
  if (!status) return error ? <AuthError error={error} onRetry={() => void refetch()} /> : null;
  // The fragment may carry the setup code.
  if (status.users_count === 0) return <Navigate to={{ pathname: "/setup", hash }} replace />;
  if (!status.authenticated) {
    const here = pathname + search;
    return <Navigate to={here === "/" ? "/login" : `/login?next=${encodeURIComponent(here)}`} replace />;
  }
  return children;
}
