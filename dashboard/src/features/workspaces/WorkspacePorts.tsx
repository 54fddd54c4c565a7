import { ExternalLink, Radio } from "lucide-react";
import { useState } from "react";

import type { Workspace } from "@/api/types";
import { plural } from "@/format/quantity";
import { Button } from "@/ui/Button";
import { classes } from "@/ui/classes";
import { Dialog } from "@/ui/Dialog";

import { accessLooks, PortRow } from "./PortRow";
import { isShared, openPath, shownPorts } from "./ports";

/** As many as have room beside the name. */
const CHIPS = 3;

/** What in it can be opened in a browser, and who may. */
export function PortList({ workspace }: { workspace: Pick<Workspace, "id" | "ports"> }) {
  const ports = shownPorts(workspace.ports);
  if (ports.length === 0) {
    return (
      <p className="rounded-lg border border-dashed border-line-strong px-4 py-5 text-center text-soft" data-testid="no-ports">
        Start something that listens, for example <code className="font-mono text-[13px] whitespace-nowrap">python3 -m http.server</code>; it appears here.
      </p>
    );
  }
  return (
    <ul aria-label="Ports" className="-my-2.5 divide-y divide-line">
      {ports.map((port) => (
        <PortRow key={port.port} workspaceId={workspace.id} port={port} />
      ))}
    </ul>
  );
}

/** The way into each, where there is room, and to who else may reach it. */
export function WorkspacePorts({ workspace, className }: { workspace: Pick<Workspace, "id" | "ports">; className?: string }) {
  const [open, setOpen] = useState(false);
  const ports = shownPorts(workspace.ports);
  const listening = ports.filter((port) => port.is_listening);
  const shared = ports.filter(isShared).length;
  return (
    <div className={classes("flex items-center gap-1.5", className)}>
      <ul aria-label="Open a port" className="hidden gap-1.5 xl:flex">
        {listening.slice(0, CHIPS).map(({ port, access, url }) => {
          const { icon: Icon, note } = accessLooks[access];
          return (
            <li key={port}>
              <a
                href={openPath(workspace.id, port)}
                target="_blank"
                rel="noreferrer"
                title={`${url} (${note})`}
                data-testid="port-chip"
                className="inline-flex h-6 items-center gap-1.5 rounded-full border border-line bg-surface px-2.5 text-xs whitespace-nowrap text-soft tabular-nums hover:border-line-strong hover:text-accent-ink"
              >
                <span className="sr-only">Port</span> {port}
                {access !== "private" && <Icon aria-label={note} className="size-3 text-warn" />}
                <ExternalLink aria-label="opens in a new tab" className="size-3" />
              </a>
            </li>
          );
        })}
      </ul>
      <Button
        size="sm"
        icon={Radio}
        onClick={() => setOpen(true)}
        data-testid="ports"
        aria-label={`Ports: ${listening.length} listening, ${shared} open to others`}
        title={shared > 0 ? `${plural(shared, "port")} open to others` : undefined}
      >
        Ports
        <span className={classes("min-w-4 rounded-full px-1 text-center text-xs tabular-nums", shared > 0 ? "bg-warn-wash text-warn" : "text-faint")}>{ports.length}</span>
      </Button>
      <Dialog open={open} onOpenChange={setOpen} title="Ports" description="What listens in this workspace, with an address of its own. You alone reach it until you open it to others.">
        <PortList workspace={workspace} />
      </Dialog>
    </div>
  );
}
