import { Navigate, Outlet } from "react-router";

import { useMeshOnly } from "./queries";

/** Around the pages that the portal of a mesh does not serve. */
export function RequireCloud() {
  return useMeshOnly() ? <Navigate to="/models" replace /> : <Outlet />;
}
