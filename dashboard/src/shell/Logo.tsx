import { classes } from "@/ui/classes";

import mark from "./favicon.svg";

export function Logo({ className }: { className?: string }) {
  return (
    <span className={classes("inline-flex items-center gap-2.5 text-[15px] font-semibold tracking-tight", className)}>
      <img src={mark} alt="" width={26} height={26} className="size-6.5" />
      NanoScale
    </span>
  );
}
