import type { ReactNode } from "react";

import { Logo } from "@/shell/Logo";

/** The frame of the pages before signing in. */
export function AuthLayout({ title, lead, children }: { title: string; lead: ReactNode; children: ReactNode }) {
  return (
    <main className="grid min-h-dvh place-items-center px-4 py-10">
      <div className="w-full max-w-sm">
        <Logo className="mb-8" />
        <h1 className="text-[22px] leading-tight font-semibold tracking-tight">{title}</h1>
        <p className="mt-1.5 mb-6 text-soft">{lead}</p>
        {children}
      </div>
    </main>
  );
}
