import { Suspense, useEffect, useRef, useState } from "react";
import { Outlet, ScrollRestoration, useLocation } from "react-router";

import { RequireSession } from "@/features/auth/RequireSession";
import { NodeProblems } from "@/features/nodes/NodeProblems";
import { SleepBanner } from "@/features/workspaces/StayAwake";
import { useLiveEvents } from "@/live/events";
import { Loading, Skeleton } from "@/ui/states";

import { CommandPalette } from "./CommandPalette";
import { ConnectionBanner } from "./ConnectionBanner";
import { PageFailed } from "./PageFailed";
import { PhoneBottomBar, PhoneTopBar } from "./PhoneBars";
import { Sidebar } from "./Sidebar";

function PageSkeleton() {
  return (
    <Loading label="Loading the page" className="flex flex-col gap-5">
      <Skeleton className="h-8 w-52" />
      <Skeleton className="h-40 rounded-xl" />
    </Loading>
  );
}

function SignedIn() {
  const { connected } = useLiveEvents();
  const [searching, setSearching] = useState(false);
  const { pathname } = useLocation();
  const content = useRef<HTMLElement>(null);

  // What had the focus may be gone with the page before; the next Tab should not start at the top again.
  useEffect(() => {
    if (document.activeElement === document.body) content.current?.focus({ preventScroll: true });
  }, [pathname]);

  return (
    <div className="flex min-h-dvh">
      <ScrollRestoration />
      <a href="#content" className="sr-only z-50 rounded-lg bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2">
        Skip to the content
      </a>
      <Sidebar onSearch={() => setSearching(true)} />
      <div className="flex min-w-0 flex-1 flex-col has-data-fill:h-(--fill-height,100dvh)">
        <PhoneTopBar onSearch={() => setSearching(true)} />
        <ConnectionBanner connected={connected} />
        <SleepBanner />
        <main ref={content} id="content" tabIndex={-1} className="mx-auto w-full max-w-6xl flex-1 px-4 pt-5 pb-24 outline-none sm:px-6 md:pt-7 md:pb-10 lg:px-8 has-data-fill:flex has-data-fill:min-h-0 has-data-fill:max-w-none has-data-fill:flex-col has-data-fill:p-0! max-md:has-data-fill:pb-[calc(3.5rem+env(safe-area-inset-bottom))]! [[data-keyboard]_&]:pb-0!">
          <NodeProblems />
          <PageFailed key={pathname}>
            <Suspense fallback={<PageSkeleton />}>
              <Outlet />
            </Suspense>
          </PageFailed>
        </main>
      </div>
      <PhoneBottomBar />
      <CommandPalette open={searching} onOpenChange={setSearching} />
    </div>
  );
}

export function Shell() {
  return (
    <RequireSession>
      <SignedIn />
    </RequireSession>
  );
}
