import "./app.css";

import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router";

import { createQueryClient } from "@/api/client";
import { keys } from "@/api/keys";
import type { AuthStatus } from "@/api/types";
import { preloadPages, router } from "@/router";
import { Toasts } from "@/ui/Toasts";

/** The session has ended elsewhere; the guard around the pages then shows the sign-in. */
const client = createQueryClient(() => {
  client.setQueryData<AuthStatus>(keys.authStatus, (status) => status && { ...status, authenticated: false });
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
      <Toasts />
    </QueryClientProvider>
  </StrictMode>,
);

/** After what the first page needs. Who only watches a terminal opens no other one. */
if (window.location.pathname !== "/watch") window.setTimeout(() => void preloadPages(), 1500);
